// SPDX-License-Identifier: Apache-2.0

package sinktest_test

import (
	"bytes"
	"context"
	"errors"
	"os"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

type secretive struct{ password string }

func (secretive) Error() string { return "refused" }

// defects are faults of a sink, with the test that must detect the fault and a part of its
// message.
var defects = map[string]struct {
	spoil func(s *shelver)
	test  string
	words string
}{
	"acknowledges what it drops": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			n, err := s.good(ctx, events)
			if errors.Is(err, errAway) {
				if len(events) == 1 && events[0].Seq%2 == 0 {
					return n, err
				}
				return len(events), nil
			}
			return n, err
		}
	}, "acknowledges_only_what_was_taken", "of 200 events"},
	"acknowledges what it only holds": {func(s *shelver) {
		var held []event.Event
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			for _, e := range events {
				e.Message = bytes.Clone(e.Message)
				held = append(held, e)
			}
			n, err := s.good(ctx, held)
			held = held[n:]
			if errors.Is(err, errAway) {
				err = nil
			}
			return len(events), err
		}
	}, "acknowledges_only_what_was_taken", "has not noticed once"},
	"does not notice that its place is away": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			s.set(false, nil)
			return s.good(ctx, events)
		}
	}, "acknowledges_only_what_was_taken", "has not noticed once"},
	"gives up what its place refuses for now": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			n, err := s.good(ctx, events)
			if errors.Is(err, errAway) {
				err = sink.Permanent(err)
			}
			return n, err
		}
	}, "acknowledges_only_what_was_taken", "must not lose events"},
	"reorders": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			if len(events) > 1 {
				events = append([]event.Event{events[1], events[0]}, events[2:]...)
			}
			return s.good(ctx, events)
		}
	}, "accepts_everything_in_order", "follows"},
	"doubles": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			n, err := s.good(ctx, events)
			if errors.Is(err, errAway) {
				s.taken = append(s.taken, s.taken[len(s.taken)-1])
			}
			return n, err
		}
	}, "acknowledges_only_what_was_taken", "twice"},
	"loses one in a hundred": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			for i := range events {
				if err := s.put(ctx, &events[i]); err != nil {
					return i, err
				}
				if events[i].Seq%100 == 50 {
					s.taken = s.taken[:len(s.taken)-1]
				}
			}
			return len(events), nil
		}
	}, "accepts_everything_in_order", "the place has 990 of 1000 events"},
	"invents one": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			if err := s.put(ctx, &event.Event{JournalID: "hello"}); err != nil {
				return 0, err
			}
			return s.good(ctx, events)
		}
	}, "accepts_everything_in_order", "was not sent"},
	"alters texts": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			list := append([]event.Event(nil), events...)
			for i := range list {
				list[i].Message = bytes.TrimSpace(list[i].Message)
			}
			return s.good(ctx, list)
		}
	}, "survives_hostile_events", "has the text"},
	"keeps what belongs to the caller": {func(s *shelver) {
		var before []event.Event
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			if n, err := s.good(ctx, before); err != nil {
				return 0, errors.Join(err, errors.New(before[n].ID()))
			}
			before = events
			return len(events), nil
		}
	}, "accepts_everything_in_order", "was not sent"},
	"changes what belongs to the caller": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			n, err := s.good(ctx, events)
			copy(events[0].Message, "E")
			return n, err
		}
	}, "accepts_everything_in_order", "belongs to the caller"},
	"takes fewer without an error": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			n, err := s.good(ctx, events[:(len(events)+1)/2])
			return n, err
		}
	}, "accepts_everything_in_order", "and returned the error <nil>"},
	"takes all with an error": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			n, _ := s.good(ctx, events)
			return n, errAway
		}
	}, "accepts_everything_in_order", "and returned the error the place is away"},
	"takes less than nothing": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			n, err := s.good(ctx, events)
			if err != nil && n == 0 {
				n = -1
			}
			return n, err
		}
	}, "acknowledges_only_what_was_taken", "took -1 of 1 events"},
	"works after the context has ended": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			return s.good(context.WithoutCancel(ctx), events)
		}
	}, "honours_the_context", "after the context had ended"},
	"waits for a place that hangs": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			return s.good(context.WithoutCancel(ctx), events)
		}
	}, "does_not_wait_for_a_place_that_hangs", "still running"},
	"leaks a secret": {
		func(s *shelver) { s.failWith(errors.New("401 for admin:hunter2")) },
		"acknowledges_only_what_was_taken", "the error has a secret",
	},
	"leaks a secret to who looks into the error": {
		func(s *shelver) { s.failWith(secretive{"hunter2"}) },
		"acknowledges_only_what_was_taken", "the error has a secret",
	},
	"has an escape sequence in an error": {
		func(s *shelver) { s.failWith(errors.New("said \x1b[2J")) },
		"acknowledges_only_what_was_taken", "could act on a terminal",
	},
	"panics at the second Close": {func(s *shelver) {
		done := make(chan struct{})
		s.close = func() error { close(done); return nil }
	}, "close_twice", "close of closed channel"},
	"fails at the second Close": {func(s *shelver) {
		f, err := os.Open(os.DevNull)
		if err != nil {
			panic(err)
		}
		s.close = f.Close
	}, "close_twice", "Close 2 of a sink that is"},
	"leaves a descriptor open": {func(s *shelver) {
		var list []*os.File
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			f, err := os.Open(os.DevNull)
			if err != nil {
				return 0, err
			}
			list = append(list, f) // or the collector would close it
			return s.good(ctx, events)
		}
		s.close = func() error { _ = len(list); return nil }
	}, "frees_what_it_holds", "/dev/null"},
	"leaves a goroutine behind": {func(s *shelver) {
		s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
			go func() { select {} }()
			return s.good(ctx, events)
		}
	}, "frees_what_it_holds", "goroutines before"},
}

func (s *shelver) failWith(err error) {
	s.deliver = func(ctx context.Context, events []event.Event) (int, error) {
		n, e := s.good(ctx, events)
		if errors.Is(e, errAway) {
			e = err
		}
		return n, e
	}
}
