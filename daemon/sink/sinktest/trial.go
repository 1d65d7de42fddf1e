// SPDX-License-Identifier: Apache-2.0

package sinktest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// A test event arrives between attempts, also after a failure with events in flight. The events around
// it are neither lost nor repeated.
func (k Kind) deliversTests(t *testing.T) {
	s, destination := k.New(t)
	r := trials{kind: k, sink: s}
	var all []event.Event
	for round := range 3 {
		batch := Events(1+round*40, 40)
		all = append(all, batch...)
		k.deliver(t, s, batch[:10])
		r.untilAccepted(t)
		destination.Break(t)
		n, _ := k.attemptWithin(t, 2*time.Second, s, batch[10:30])
		_ = r.once(t) // the destination may accept it
		destination.Repair(t)
		r.untilAccepted(t)
		k.deliver(t, s, batch[10+n:])
	}
	var last error
	for wait := time.Duration(0); wait < 10*time.Second; wait += 50 * time.Millisecond {
		if last = r.compare(destination.Stored(t), all); last == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal(last)
}

// trials are the test events of one sink.
type trials struct {
	kind     Kind
	sink     sink.Sink
	number   uint64   // of the last one
	accepted []string // ids
}

// once makes one attempt with a new test event.
func (r *trials) once(t *testing.T) error {
	t.Helper()
	r.number++
	e := TestEvent(r.number)
	_, err := r.kind.attemptWithin(t, 2*time.Second, r.sink, []event.Event{e})
	if err == nil {
		r.accepted = append(r.accepted, e.ID())
	}
	return err
}

func (r *trials) untilAccepted(t *testing.T) {
	t.Helper()
	for attempts := 0; ; attempts++ {
		err := r.once(t)
		if err == nil {
			return
		}
		if attempts == 200 {
			t.Fatalf("no test is accepted after %d attempts: %v", attempts, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// compare checks the stored tests and the other stored events.
func (r *trials) compare(stored []StoredEvent, want []event.Event) error {
	missing := slices.Clone(r.accepted)
	others := slices.DeleteFunc(slices.Clone(stored), func(got StoredEvent) bool {
		missing = slices.DeleteFunc(missing, func(id string) bool { return id == got.ID })
		return isTest(got.ID)
	})
	if len(missing) > 0 {
		return fmt.Errorf("the destination does not have %d of %d accepted tests: %s", len(missing), len(r.accepted), missing)
	}
	return r.kind.compare(others, want)
}

func isTest(id string) bool { return strings.Contains(id, "-0-test-") }

// TestEvent returns a test event.
func TestEvent(number uint64) event.Event {
	e := newEvent(0, nil)
	e.KernelSeq, e.KernelTime, e.LoadID = 0, time.Time{}, 0
	e.Test = &event.Test{Sink: "x", Number: number}
	return e
}
