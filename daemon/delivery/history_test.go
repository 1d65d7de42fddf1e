// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/internal/poll"
)

// TestHistoryContainsFailuresAndTheirEnd: successful attempts are not stored, except for the first one
// after a failure.
func TestHistoryContainsFailuresAndTheirEnd(t *testing.T) {
	j := open(t, 0)
	answers := []error{nil, errors.New("down\x1b"), errors.New("down"), nil, nil, sink.Permanent(errors.New("bad")), nil, nil}
	calls := 0
	to := &target{answer: func(events []event.Event) (int, error) {
		err := answers[min(calls, len(answers)-1)]
		if calls++; err != nil {
			return 0, err
		}
		return len(events), nil
	}}
	f := start(t, j, func(c *Config) {
		c.Options.BatchEvents, c.Options.RetryMin, c.Options.RetryMax = 1, time.Millisecond, time.Millisecond
	}, to)
	for i := range 6 {
		f.appendBatch(t, []byte(fmt.Sprint(i)))
	}
	poll.Until(t, "an outcome of each event", func() bool { s := f.State(); return s.Delivered+s.DeadLettered == 6 })
	attempt := func(seq uint64, accepted int, text string) Attempt {
		return Attempt{First: seq, Last: seq, Events: 1, Accepted: accepted, Error: text}
	}
	want := []Attempt{attempt(2, 0, `down\x1b`), attempt(2, 0, "down"), attempt(2, 1, ""), attempt(4, 0, "bad"), attempt(5, 1, "")}
	if diff := cmp.Diff(want, f.Attempts(), cmpopts.IgnoreFields(Attempt{}, "Time")); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	var h history
	for i := range uint64(3*maxAttempts + 5) {
		h.add(Attempt{First: i, Last: i})
	}
	list := h.list()
	if len(list) != maxAttempts || list[0].First != 2*maxAttempts+5 || list[maxAttempts-1].First != 3*maxAttempts+4 {
		t.Errorf("%d attempts, from %d to %d", len(list), list[0].First, list[len(list)-1].First)
	}
	for _, text := range []string{strings.Repeat("é", 5000), strings.Repeat("\x1b", 5000), "short"} {
		if s := shortened(text); len(s) > maxAttemptError+len("…") || !utf8.ValidString(s) || !event.IsVisible([]byte(s)) {
			t.Errorf("%d bytes: %q", len(s), s)
		}
	}
}

func TestSuccessfulAttemptsAllocateNoHistory(t *testing.T) {
	s := &sender{Worker: &Worker{Config: Config{Clock: wallClock{}}, account: &account{}}}
	events := make([]event.Event, 1)
	if n := testing.AllocsPerRun(100, func() { s.noteAttempt(events, 1, nil, false) }); n != 0 || len(s.account.history.ring) > 0 {
		t.Errorf("%v allocations, %d entries", n, len(s.account.history.ring))
	}
}

func TestProgressOfEachRecord(t *testing.T) {
	j := open(t, 0)
	to := &target{answer: func([]event.Event) (int, error) { return 1, errors.New("down") }}
	passOdd := func(c *Config) {
		c.Rules = &rules{evaluate: func(e *event.Event) (match.Verdict, error) {
			if e.Seq%2 == 0 {
				return match.Filtered, nil
			}
			return match.Pass, nil
		}}
		c.Options.RetryMin, c.Options.RetryMax = time.Hour, time.Hour
		c.Options.MaxAge = time.Hour
	}
	f := start(t, j, passOdd, to)
	f.appendBatch(t, make([][]byte, 6)...)
	poll.Until(t, "an attempt", func() bool { return f.State().Delivered == 1 })
	poll.Until(t, "the batch", func() bool { return f.ProgressOf(5) == InFlight })
	got := map[uint64]Progress{}
	for seq := range uint64(8) {
		got[seq+1] = f.ProgressOf(seq + 1)
	}
	want := map[uint64]Progress{
		1: Delivered, 2: Rejected, 3: InFlight, 4: Rejected, 5: InFlight, 6: Rejected, 7: Unread, 8: Unread,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}
