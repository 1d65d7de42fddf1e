// SPDX-License-Identifier: Apache-2.0

package sinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

func (k Kind) acceptsAllEventsInOrder(t *testing.T) {
	s, destination := k.New(t)
	random := rand.New(rand.NewPCG(1, 1))
	all := Events(1, 1000)
	for left := all; len(left) > 0; {
		n := min(len(left), 1+random.IntN(100))
		k.deliver(t, s, left[:n])
		left = left[n:]
	}
	k.check(t, destination, all, len(all))
}

// A destination fails and recovers repeatedly: no accepted event is missing, and the others are
// delivered again.
func (k Kind) acknowledgesOnlyStoredEvents(t *testing.T) {
	s, destination := k.New(t)
	var all []event.Event
	failed := 0
	for round := range 5 {
		batch := Events(1+round*40, 40)
		all = append(all, batch...)
		k.deliver(t, s, batch[:10])
		destination.Break(t)
		n, err := k.attemptUntilFailure(t, s, batch[10:30])
		if err != nil {
			failed++
		}
		if sink.Poisoned(err) > 0 {
			t.Fatalf("an unreachable destination must not lose events: %v", err)
		}
		destination.Repair(t)
		k.deliver(t, s, batch[10+n:])
	}
	if failed == 0 {
		t.Error("the sink has not detected once that its destination was broken")
	}
	k.check(t, destination, all, len(all))
}

// attemptUntilFailure delivers the events one by one: a stream may notice late that the
// other side has disappeared.
func (k Kind) attemptUntilFailure(t *testing.T, s sink.Sink, events []event.Event) (accepted int, err error) {
	t.Helper()
	for i := range events {
		if _, err := k.attemptWithin(t, 2*time.Second, s, events[i:i+1]); err != nil {
			return i, err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return len(events), nil
}

func (k Kind) returnsWhenTheContextEnds(t *testing.T) {
	s, destination := k.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	events := Events(1, 10)
	n, err := call(ctx, t, s, events)
	k.checkResult(t, n, len(events), err)
	if n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("accepted %d events after the context had ended, with the error %v", n, err)
	}
	k.deliver(t, s, events)
	k.check(t, destination, events, len(events))
}

// A destination that hangs may accept much data before it is full. An attempt that finds it full
// ends with its context, and its events arrive when the destination continues.
func (k Kind) returnsWhenTheDestinationHangs(t *testing.T) {
	s, destination := k.New(t)
	hanger, ok := destination.(Hanger)
	if !ok {
		t.Skip("the destination cannot hang")
	}
	var all []event.Event
	hanger.Hang(t)
	for failures := 0; failures < 3; {
		batch := Events(len(all)+1, 100)
		n, err := k.attemptWithin(t, 100*time.Millisecond, s, batch)
		if err != nil {
			failures++
		}
		if all = append(all, batch[:n]...); len(all) > 1_000_000 {
			t.Fatal("the destination accepted a million events while it hung")
		}
	}
	destination.Repair(t)
	rest := Events(len(all)+1, 100)
	k.deliver(t, s, rest)
	all = append(all, rest...)
	k.check(t, destination, all, len(all))
}

// Close succeeds if the sink has not failed, and a second call does nothing: on a used
// sink, on an unused one, and on one whose destination is unavailable.
func (k Kind) closeTwice(t *testing.T) {
	for name, use := range map[string]func(s sink.Sink, destination Destination){
		"unused": func(sink.Sink, Destination) {},
		"used":   func(s sink.Sink, _ Destination) { k.deliver(t, s, Events(1, 3)) },
		"broken": func(s sink.Sink, destination Destination) {
			k.deliver(t, s, Events(1, 3))
			destination.Break(t)
			_, _ = k.attemptUntilFailure(t, s, Events(4, 3)) // or accepts them
		},
	} {
		s, destination := k.New(t)
		use(s, destination)
		for i := range 2 {
			if err := s.Close(); err != nil && (i > 0 || name != "broken") {
				t.Errorf("Close %d of a sink that is %s: %v", i+1, name, err)
			}
		}
		if name == "broken" {
			destination.Repair(t)
		}
	}
}

func (k Kind) survivesHostileEvents(t *testing.T) {
	s, destination := k.New(t)
	n := k.Hostile
	if n == 0 {
		n = 100_000
	}
	if testing.Short() {
		n /= 10
	}
	all := make([]event.Event, n)
	for i := range all {
		all[i] = newEvent(i+1, hostile(i))
	}
	for left := all; len(left) > 0; {
		m := min(len(left), 500)
		k.deliver(t, s, left[:m])
		left = left[m:]
	}
	k.check(t, destination, all, len(all))
}

// hostile returns one of the texts that have broken a forwarder before.
func hostile(i int) []byte {
	texts := [...]string{
		"", " ", "\n", "\r\n", "a\nb", "\t", `"`, `\`, `'`, "`id`", "$(reboot)", "${HOME}", "%n%s%x", "%!d(string=x)",
		"{{.}}", "{{", "}}", "<script>alert(1)</script>", "]]>", "\x1b[2J\x1b]0;x\a", "\x9b31m", "\u009b31m", "\x7f", "\u202e",
		"\u2028", "\ufeff", "\xff\xfe", "\xc3", "\xed\xa0\x80", "caf\u00e9", "\U0001f600", "a=b c=d", "x\rSet-Cookie: a=b",
		"'; DROP TABLE events; --", "../../etc/passwd", "-rf", "--help", "@file", "#", "null", "true", "0", "[]", "{}", "1e999",
		`{"id":"forged"}`, "<34>1 2026-01-01T00:00:00Z host app - - - x", "10 <34>1 -", "\\x00", "\\n", "=?utf-8?q?x?=",
	}
	switch text := texts[i%len(texts)]; {
	case i%1000 == 999:
		return bytes.Repeat([]byte("A\xffB\n"), 875) // 3,500 bytes
	case i%7 == 0:
		return []byte(text + text)
	default:
		return []byte(text)
	}
}

// check compares the events at the destination with the delivered ones: each event, in order,
// perhaps more than once, with its text. It waits a moment for destinations that acknowledge
// before a reader can see the event.
func (k Kind) check(t *testing.T, destination Destination, want []event.Event, n int) {
	t.Helper()
	for wait := time.Duration(0); ; wait += 50 * time.Millisecond {
		err := k.compare(destination.Stored(t), want[:n])
		if err == nil {
			return
		}
		if wait > 10*time.Second {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (k Kind) compare(stored []StoredEvent, want []event.Event) error {
	number := make(map[string]int, len(want))
	for i := range want {
		number[want[i].ID()] = i
	}
	seen, last := make(map[int]bool, len(want)), -1
	for _, got := range stored {
		i, ok := number[got.ID]
		if !ok {
			return fmt.Errorf("the destination has an event that was not sent: %q", got)
		}
		text := string(want[i].Message)
		if k.Altered != nil {
			text = k.Altered(want[i].Message)
		}
		if got.Message != text {
			return fmt.Errorf("event %s has the text %q instead of %q", got.ID, got.Message, text)
		}
		if seen[i] && k.Once {
			return fmt.Errorf("the destination has event %s twice", got.ID)
		}
		if !seen[i] && i < last && !k.Unordered {
			return fmt.Errorf("event %s follows %s", got.ID, want[last].ID())
		}
		seen[i], last = true, max(last, i)
	}
	if len(seen) != len(want) {
		return fmt.Errorf("the destination has %d of %d events", len(seen), len(want))
	}
	return nil
}
