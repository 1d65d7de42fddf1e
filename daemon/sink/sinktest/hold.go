// SPDX-License-Identifier: Apache-2.0

package sinktest

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// grace bounds how long an attempt may continue after its context on a busy machine.
const grace = 10 * time.Second

// call makes one attempt. It passes a copy and overwrites it afterwards, so a sink that keeps events
// is found. It fails the test if the sink changes the events, or continues after the
// context has ended.
func call(ctx context.Context, t *testing.T, s sink.Sink, events []event.Event) (accepted int, err error) {
	t.Helper()
	clones := cloneEvents(events)
	done := make(chan struct{})
	go func() {
		defer close(done)
		accepted, err = s.Deliver(ctx, clones)
	}()
	select {
	case <-done:
	case <-graceAfter(ctx):
		t.Fatalf("the attempt was still running %v after its context had ended", grace)
	}
	checkAndOverwrite(t, clones, events)
	return accepted, err
}

// graceAfter returns a channel that is closed when the context and the grace have ended.
func graceAfter(ctx context.Context) <-chan struct{} {
	late := make(chan struct{})
	context.AfterFunc(ctx, func() { time.AfterFunc(grace, func() { close(late) }) })
	return late
}

func cloneEvents(events []event.Event) []event.Event {
	clones := make([]event.Event, len(events))
	for i := range events {
		clones[i] = events[i]
		clones[i].Message = bytes.Clone(events[i].Message)
	}
	return clones
}

func checkAndOverwrite(t *testing.T, clones, events []event.Event) {
	t.Helper()
	for i := range clones {
		if clones[i].ID() != events[i].ID() || !bytes.Equal(clones[i].Message, events[i].Message) {
			t.Errorf("the sink has changed event %s: it belongs to the caller", events[i].ID())
		}
		for j := range clones[i].Message {
			clones[i].Message[j] = '!'
		}
		clones[i] = event.Event{JournalID: "kept"}
	}
}

// releasesResources compares resources before the first attempt with those after Close. The
// server of the destination may need a moment to notice the end.
func (k Kind) releasesResources(t *testing.T) {
	s, _ := k.New(t)
	descriptors, goroutines := openDescriptors(t), runtime.NumGoroutine()
	k.deliver(t, s, Events(1, 100))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if len(openDescriptors(t)) <= len(descriptors) && runtime.NumGoroutine() <= goroutines {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("descriptors before %v, after Close %v", descriptors, openDescriptors(t))
	var stacks strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&stacks, 1); err != nil {
		t.Fatal(err)
	}
	t.Errorf("%d goroutines before, after Close:\n%s", goroutines, stacks.String())
}

// openDescriptors returns the target of each open descriptor, except those of the
// runtime's poller, which are opened at its first use and remain.
func openDescriptors(t *testing.T) (targets []string) {
	t.Helper()
	const dir = "/proc/self/fd/"
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list {
		if target, err := os.Readlink(dir + entry.Name()); err == nil && !strings.HasPrefix(target, "anon_inode:[event") {
			targets = append(targets, target)
		}
	}
	return targets
}
