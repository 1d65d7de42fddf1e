// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
)

// A target is a sink whose answers a test chooses.
type target struct {
	mu     sync.Mutex
	taken  []uint64
	answer func(n int) (accepted int, err error) // nil takes all
	block  bool                                  // until the attempt's context ends
	tries  int
	closed bool
}

func (s *target) Deliver(ctx context.Context, events []event.Event) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.block {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	n, err := len(events), error(nil)
	if s.answer != nil {
		n, err = s.answer(len(events))
	}
	for _, e := range events[:min(max(n, 0), len(events))] {
		s.taken = append(s.taken, e.Seq)
	}
	return n, err
}

func (s *target) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

type fixture struct {
	*Worker
	j    *journal.Journal
	gen  *uint64
	log  *bytes.Buffer
	done chan error
	stop context.CancelFunc
}

func open(t *testing.T, maxBytes int64) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.TempDir(), journal.Options{MaxBytes: maxBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func start(t *testing.T, s *target, j *journal.Journal) fixture {
	t.Helper()
	f := fixture{j: j, log: &bytes.Buffer{}, done: make(chan error, 1)}
	decode := func(r journal.Record) (event.Event, error) {
		return event.Event{JournalID: j.ID(), Seq: r.Seq, Time: r.Time}, nil
	}
	opts := Options{BatchEvents: 10, AttemptTimeout: 5 * time.Second, RetryMin: 100 * time.Millisecond, RetryMax: 10 * time.Second}
	reader, err := j.NewReader("x"+fmt.Sprint(len(j.Cursors())), journal.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.gen = new(uint64)
	f.Worker = NewWorker("x", s, reader, decode, opts, slog.New(slog.NewTextHandler(f.log, nil)))
	var ctx context.Context
	ctx, f.stop = context.WithCancel(t.Context())
	go func() { f.done <- f.Run(ctx) }()
	return f
}

func (f fixture) append(t *testing.T, n int) {
	t.Helper()
	for range n {
		*f.gen++
		if err := f.j.Append(*f.gen, time.Now(), [][]byte{binary.NativeEndian.AppendUint64(nil, 1)}); err != nil {
			t.Error(err)
		}
	}
}

// finish seals the journal, waits for the worker and checks what the sink got.
func (f fixture) finish(t *testing.T, s *target, n int) {
	t.Helper()
	f.j.Seal()
	if err := <-f.done; err != nil {
		t.Error(err)
	}
	want := make([]uint64, n)
	for i := range want {
		want[i] = uint64(i + 1)
	}
	if diff := cmp.Diff(want, s.taken); diff != "" {
		t.Errorf("events taken (-want +got):\n%s", diff)
	}
	if !s.closed {
		t.Error("the sink was not closed")
	}
	f.stop()
}

func TestEverythingIsDeliveredInOrderWhateverTheSinkAnswers(t *testing.T) {
	down := errors.New("down")
	answers := map[string]func(n int) (int, error){
		"all":                       nil,
		"one at a time":             func(int) (int, error) { return 1, down },
		"half":                      func(n int) (int, error) { return (n + 1) / 2, down },
		"fewer without an error":    func(n int) (int, error) { return max(1, n-1), nil },
		"more than it was given":    func(n int) (int, error) { return n + 5, nil },
		"less than nothing, once":   sometimes(-3, down),
		"nothing without an error":  sometimes(0, nil),
		"all and an error":          func(n int) (int, error) { return n, down },
		"none three times in a row": sometimes(0, down),
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &target{answer: answer}
				f := start(t, s, open(t, 1<<20))
				f.append(t, 95)
				time.Sleep(time.Hour)
				synctest.Wait()
				if got := f.State(); got.Delivered != 95 || got.Events != 95 || got.Waiting+got.InFlight+got.Dropped != 0 {
					t.Errorf("account %+v", got)
				}
				f.finish(t, s, 95)
			})
		})
	}
}

// sometimes answers so three times of four.
func sometimes(accepted int, err error) func(n int) (int, error) {
	calls := 0
	return func(n int) (int, error) {
		if calls++; calls%4 != 0 {
			return accepted, err
		}
		return n, nil
	}
}

func TestADeadSinkIsTriedAgainAndForgetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{answer: func(int) (int, error) { return 0, errors.New("down\x1b[2J") }}
		f := start(t, s, open(t, 1<<20))
		f.append(t, 25)
		time.Sleep(time.Hour)
		synctest.Wait()
		got := f.State()
		if got.Delivered != 0 || got.InFlight == 0 || got.InFlight+got.Waiting != 25 || got.LastError == nil || got.Failures != uint64(s.tries) {
			t.Errorf("account of a dead sink %+v after %d tries", got, s.tries)
		}
		// The mean wait is half of RetryMax, the longest RetryMax.
		if s.tries < 360 || s.tries > 2000 {
			t.Errorf("%d attempts in an hour", s.tries)
		}
		if n := strings.Count(f.log.String(), "delivery failed"); n != 1 {
			t.Errorf("%d log lines for one lasting fault", n)
		}
		if strings.Contains(f.log.String(), "\x1b") {
			t.Error("an escape sequence reached the log")
		}
		s.mu.Lock()
		s.answer = nil
		s.mu.Unlock()
		time.Sleep(time.Minute)
		f.finish(t, s, 25)
		if !strings.Contains(f.log.String(), "works again") {
			t.Error("the log does not say that the sink came back")
		}
	})
}

func TestAnAttemptThatHangsIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{block: true}
		f := start(t, s, open(t, 1<<20))
		f.append(t, 1)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := f.State(); !errors.Is(got.LastError, context.DeadlineExceeded) {
			t.Errorf("account %+v", got)
		}
		f.stop()
		if err := <-f.done; err != nil {
			t.Error(err)
		}
		if got := f.State(); got.InFlight != 1 {
			t.Errorf("the event that was not taken is not accounted for: %+v", got)
		}
	})
}

func TestEventsPastTheJournalsLimitAreCountedAsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{answer: func(int) (int, error) { return 0, errors.New("down") }}
		f := start(t, s, open(t, 1<<20))
		big := make([]byte, 8000)
		const events = 1000
		for range events {
			*f.gen++
			if err := f.j.Append(*f.gen, time.Now(), [][]byte{big}); err != nil {
				t.Fatal(err)
			}
		}
		s.mu.Lock()
		s.answer = nil
		s.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		got := f.State()
		if got.Dropped == 0 || got.Delivered+got.Dropped != events || got.Events != events {
			t.Errorf("account %+v, want delivered + dropped = %d", got, events)
		}
		f.stop()
		if err := <-f.done; err != nil {
			t.Error(err)
		}
	})
}

func TestASlowSinkDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, 1<<20)
		slow := start(t, &target{block: true}, j)
		s := &target{}
		fast := start(t, s, j)
		fast.append(t, 50)
		synctest.Wait()
		if got := fast.State(); got.Delivered != 50 {
			t.Errorf("account %+v", got)
		}
		slow.stop()
		if err := <-slow.done; err != nil {
			t.Error(err)
		}
		fast.finish(t, s, 50)
	})
}

func TestAnEventThatCannotBeDecodedIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		f := start(t, s, open(t, 1<<20))
		f.decode = func(r journal.Record) (event.Event, error) { return event.Event{Seq: r.Seq}, errors.New("odd") }
		f.append(t, 1)
		synctest.Wait()
		f.finish(t, s, 1)
	})
}

func TestBackoffGrowsWithJitterUpToItsLimit(t *testing.T) {
	const shortest, longest = 100 * time.Millisecond, 3 * time.Second
	for failures := range 100 {
		ceiling := min(shortest<<min(max(failures-1, 0), 20), longest)
		different := map[time.Duration]bool{}
		for range 100 {
			d := backoff(failures, shortest, longest)
			if d < shortest/2 || d > ceiling {
				t.Fatalf("backoff(%d) = %v, want %v to %v", failures, d, shortest/2, ceiling)
			}
			different[d] = true
		}
		if len(different) < 10 {
			t.Errorf("backoff(%d) has no jitter", failures)
		}
	}
}
