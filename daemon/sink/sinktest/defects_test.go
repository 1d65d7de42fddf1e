// SPDX-License-Identifier: Apache-2.0

package sinktest_test

import (
	"bytes"
	"context"
	"errors"
	"os"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

type secretError struct{ password string }

func (secretError) Error() string { return "refused" }

// defects are faults of a sink, with the test that must detect the fault and a part of its
// message.
var defects = map[string]struct {
	breakSink func(s *memorySink)
	test      string
	want      string
}{
	"acknowledges dropped events": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			n, err := s.correctDeliver(ctx, events)
			if errors.Is(err, errUnavailable) {
				if len(events) == 1 && events[0].Seq%2 == 0 {
					return n, err
				}
				return len(events), nil
			}
			return n, err
		}
	}, "acknowledges_only_stored_events", "of 200 events"},
	"acknowledges buffered events": {func(s *memorySink) {
		var held []event.Event
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			for _, e := range events {
				e.Message = bytes.Clone(e.Message)
				held = append(held, e)
			}
			n, err := s.correctDeliver(ctx, held)
			held = held[n:]
			if errors.Is(err, errUnavailable) {
				err = nil
			}
			return len(events), err
		}
	}, "acknowledges_only_stored_events", "has not detected once"},
	"does not detect that its destination is unavailable": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			s.set(false, nil)
			return s.correctDeliver(ctx, events)
		}
	}, "acknowledges_only_stored_events", "has not detected once"},
	"rejects events that its destination refuses temporarily": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			n, err := s.correctDeliver(ctx, events)
			if errors.Is(err, errUnavailable) {
				err = sink.Permanent(err)
			}
			return n, err
		}
	}, "acknowledges_only_stored_events", "must not lose events"},
	"reorders": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			if len(events) > 1 {
				events = append([]event.Event{events[1], events[0]}, events[2:]...)
			}
			return s.correctDeliver(ctx, events)
		}
	}, "accepts_everything_in_order", "follows"},
	"duplicates": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			n, err := s.correctDeliver(ctx, events)
			if errors.Is(err, errUnavailable) {
				s.stored = append(s.stored, s.stored[len(s.stored)-1])
			}
			return n, err
		}
	}, "acknowledges_only_stored_events", "twice"},
	"mistakes a test for an earlier one": {func(s *memorySink) {
		known := map[uint64]bool{}
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			if seq := events[0].Seq; len(events) == 1 && known[seq] {
				return 1, nil
			}
			n, err := s.correctDeliver(ctx, events)
			for i := range events[:n] {
				known[events[i].Seq] = true
			}
			return n, err
		}
	}, "delivers_tests", "accepted tests"},
	"forgets events in flight at a test": {func(s *memorySink) {
		early := map[uint64]bool{} // stored, but not accepted
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			for i := range events {
				if events[i].Test != nil {
					clear(early)
				}
				if early[events[i].Seq] {
					continue
				}
				if err := s.put(ctx, &events[i]); err != nil {
					for _, e := range events[i:] {
						s.stored = append(s.stored, sinktest.StoredEvent{ID: e.ID(), Message: string(e.Message)})
						early[e.Seq] = e.Test == nil
					}
					return i, err
				}
			}
			return len(events), nil
		}
	}, "delivers_tests", "twice"},
	"loses one event in a hundred": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			for i := range events {
				if err := s.put(ctx, &events[i]); err != nil {
					return i, err
				}
				if events[i].Seq%100 == 50 {
					s.stored = s.stored[:len(s.stored)-1]
				}
			}
			return len(events), nil
		}
	}, "accepts_everything_in_order", "the destination has 990 of 1000 events"},
	"adds an event": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			if err := s.put(ctx, &event.Event{JournalID: "hello"}); err != nil {
				return 0, err
			}
			return s.correctDeliver(ctx, events)
		}
	}, "accepts_everything_in_order", "was not sent"},
	"alters texts": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			list := append([]event.Event(nil), events...)
			for i := range list {
				list[i].Message = bytes.TrimSpace(list[i].Message)
			}
			return s.correctDeliver(ctx, list)
		}
	}, "survives_hostile_events", "has the text"},
	"keeps events of the caller": {func(s *memorySink) {
		var before []event.Event
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			if n, err := s.correctDeliver(ctx, before); err != nil {
				return 0, errors.Join(err, errors.New(before[n].ID()))
			}
			before = events
			return len(events), nil
		}
	}, "accepts_everything_in_order", "was not sent"},
	"changes events of the caller": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			n, err := s.correctDeliver(ctx, events)
			copy(events[0].Message, "E")
			return n, err
		}
	}, "accepts_everything_in_order", "belongs to the caller"},
	"accepts fewer events without an error": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			n, err := s.correctDeliver(ctx, events[:(len(events)+1)/2])
			return n, err
		}
	}, "accepts_everything_in_order", "and returned the error <nil>"},
	"accepts all events with an error": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			n, _ := s.correctDeliver(ctx, events)
			return n, errUnavailable
		}
	}, "accepts_everything_in_order", "and returned the error the destination is unavailable"},
	"accepts a negative number of events": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			n, err := s.correctDeliver(ctx, events)
			if err != nil && n == 0 {
				n = -1
			}
			return n, err
		}
	}, "acknowledges_only_stored_events", "accepted -1 of 1 events"},
	"works after the context has ended": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			return s.correctDeliver(context.WithoutCancel(ctx), events)
		}
	}, "returns_when_the_context_ends", "after the context had ended"},
	"waits for a destination that hangs": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			return s.correctDeliver(context.WithoutCancel(ctx), events)
		}
	}, "returns_when_the_destination_hangs", "still running"},
	"leaks a secret": {
		func(s *memorySink) { s.failWith(errors.New("401 for admin:hunter2")) },
		"acknowledges_only_stored_events", "the error contains a secret",
	},
	"leaks a secret in the fields of the error": {
		func(s *memorySink) { s.failWith(secretError{"hunter2"}) },
		"acknowledges_only_stored_events", "the error contains a secret",
	},
	"has an escape sequence in an error": {
		func(s *memorySink) { s.failWith(errors.New("text \x1b[2J")) },
		"acknowledges_only_stored_events", "could act on a terminal",
	},
	"panics at the second Close": {func(s *memorySink) {
		done := make(chan struct{})
		s.close = func() error { close(done); return nil }
	}, "close_can_be_called_twice", "close of closed channel"},
	"fails at the second Close": {func(s *memorySink) {
		f, err := os.Open(os.DevNull)
		if err != nil {
			panic(err)
		}
		s.close = f.Close
	}, "close_can_be_called_twice", "Close 2 of a sink that is"},
	"leaves a descriptor open": {func(s *memorySink) {
		var list []*os.File
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			f, err := os.Open(os.DevNull)
			if err != nil {
				return 0, err
			}
			list = append(list, f) // or the collector would close it
			return s.correctDeliver(ctx, events)
		}
		s.close = func() error { _ = len(list); return nil }
	}, "releases_resources", "/dev/null"},
	"leaves a goroutine running": {func(s *memorySink) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			go func() { select {} }()
			return s.correctDeliver(ctx, events)
		}
	}, "releases_resources", "goroutines before"},
}

func (s *memorySink) failWith(err error) {
	s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
		n, e := s.correctDeliver(ctx, events)
		if errors.Is(e, errUnavailable) {
			e = err
		}
		return n, e
	}
}
