// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

var errPoison = sink.Refusal{Kind: sink.RefusedHTTPStatus, Status: 422}.Mark(errors.New("permanently\x1b[2J refused"))

// refusing returns the answers of a server that refuses some events. With exact, the server
// names the refused event; otherwise it refuses the whole batch.
func refusing(exact bool, poisoned ...uint64) func([]event.Event) (int, error) {
	return func(events []event.Event) (int, error) {
		for i := range events {
			if !slices.Contains(poisoned, events[i].Seq) {
				continue
			}
			if exact {
				return i, sink.Permanent(errPoison)
			}
			return 0, sink.PermanentAmong(len(events), errPoison)
		}
		return len(events), nil
	}
}

func TestPoisonedEventsBecomeDeadLetters(t *testing.T) {
	tests := map[string][]uint64{
		"none":          nil,
		"the first":     {1},
		"the last":      {100},
		"two together":  {41, 42},
		"one a batch":   {5, 15, 25, 35, 45, 55, 65, 75, 85, 95},
		"a whole batch": numbers(11, 20),
		"all":           numbers(1, 100),
	}
	for name, poisoned := range tests {
		for _, exact := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, exact=%v", name, exact), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &target{answer: refusing(exact, poisoned...)}
					f := start(t, open(t, 1<<20), nil, s)
					f.append(t, 100)
					began := time.Now()
					time.Sleep(time.Minute)
					synctest.Wait()
					if took := s.at[len(s.at)-1].Sub(began); took > time.Second {
						t.Errorf("poisoned events blocked the sink for %v", took)
					}
					if diff := cmp.Diff(poisoned, f.box.seqs(), cmpopts.EquateEmpty()); diff != "" {
						t.Errorf("dead letters (-want +got):\n%s", diff)
					}
					got := f.State()
					if got.DeadLettered != uint64(len(poisoned)) || got.Delivered != 100-got.DeadLettered || got.Events != 100 ||
						(got.LastError() == nil) != (name != "all") {
						t.Errorf("account %+v", got)
					}
					f.j.Seal()
					f.end(t)
					wantAccepted(t, s, slices.DeleteFunc(numbers(1, 100), func(n uint64) bool { return slices.Contains(poisoned, n) }))
				})
			})
		}
	}
}

func TestDeadLetterContainsDataReasonAndTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{answer: func([]event.Event) (int, error) { return 0, errDown }}
		f := start(t, open(t, 1<<20), nil, s)
		f.appendBatch(t, []byte("bad"))
		time.Sleep(time.Minute)
		synctest.Wait()
		failed := s.attempts()
		s.answers(refusing(true, 1))
		time.Sleep(time.Minute)
		synctest.Wait()
		f.box.mu.Lock()
		defer f.box.mu.Unlock()
		if len(f.box.letters) != 1 {
			t.Fatalf("dead letters %v", f.box.letters)
		}
		l := f.box.letters[0]
		if string(l.Data) != "bad" || l.ID.Seq != 1 || l.Attempts != failed+1 || l.Reason != errPoison.Error() ||
			l.Kind != "http_status" || l.Status != 422 || l.Received.IsZero() || !l.Refused.After(l.Received) {
			t.Errorf("dead letter %+v after %d failures", l, failed)
		}
		f.stop()
		f.end(t)
	})
}

// When the disk of the dead letters is full, the event stays in the journal.
func TestUnwritableDeadLettersLoseNoEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{answer: refusing(true, 3)}
		f := start(t, open(t, 1<<20), func(c *Config) { c.Letters.(*box).err = unix.ENOSPC }, s)
		f.appendBatch(t, []byte("1"), []byte("2"), []byte("3"), []byte("4"), []byte("5"))
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := f.State(); got.Delivered != 2 || got.InFlight+got.Waiting != 3 || !errors.Is(got.LastError(), unix.ENOSPC) {
			t.Errorf("account %+v", got)
		}
		f.box.mu.Lock()
		f.box.err = nil
		f.box.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := f.State(); got.Delivered != 4 || got.DeadLettered != 1 || got.LastError() != nil {
			t.Errorf("account %+v after space was freed", got)
		}
		f.stop()
		f.end(t)
		wantAccepted(t, s, []uint64{1, 2, 4, 5})
	})
}

// Consecutive refusals are written together, so the sink may accept later events before the
// write fails.
func TestUnwritableDeadLettersRepeatNoEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{answer: refusing(true, 1, 2, 5)}
		j := open(t, 1<<20)
		fixture{j: j}.append(t, 10)
		f := start(t, j, func(c *Config) { c.Letters.(*box).err = unix.ENOSPC }, s)
		time.Sleep(time.Hour)
		synctest.Wait()
		got := f.State()
		if got.DeadLettered != 0 || got.Events != 10 || sum(got) != 10 || !errors.Is(got.LastError(), unix.ENOSPC) || f.Reader.Backlog() != 10 {
			t.Errorf("account %+v, backlog %d", got, f.Reader.Backlog())
		}
		f.box.mu.Lock()
		f.box.err = nil
		f.box.mu.Unlock()
		j.Seal()
		f.end(t)
		wantAccepted(t, s, []uint64{3, 4, 6, 7, 8, 9, 10})
		if got := f.State(); got.Delivered != 7 || got.DeadLettered != 3 || got.LastError() != nil {
			t.Errorf("account %+v after space was freed", got)
		}
	})
}

// At the next attempt, a file sink treats all earlier events as counted. It cannot recognize
// them after a restart of the process.
func TestAcceptedEventsAreCommittedBeforeNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, 1<<20)
		fixture{j: j}.append(t, 20)
		answer := refusing(true, 2, 3, 7, 8, 15)
		var reader Reader
		before := uint64(20)
		s := &target{}
		s.answer = func(events []event.Event) (int, error) {
			if backlog := reader.Backlog(); backlog > before {
				t.Errorf("event %d is attempted with a backlog of %[3]d, want at most %[2]d after the last accepted event",
					events[0].Seq, before, backlog)
			}
			n, err := answer(events)
			if n > 0 {
				before = 20 - events[n-1].Seq
			}
			return n, err
		}
		f := start(t, j, func(c *Config) { reader = c.Reader }, s)
		j.Seal()
		f.end(t)
	})
}

// Each Add waits for the disk, so one Add per letter would be too slow for a sink that refuses
// all events.
func TestRefusedEventsOfBatchAreWrittenTogether(t *testing.T) {
	tests := map[string]struct {
		poisoned []uint64
		want     []int
	}{
		"all":          {numbers(1, 20), []int{10, 10}},
		"in rows":      {[]uint64{1, 2, 5, 6, 7, 9}, []int{3, 3}},
		"every second": {[]uint64{1, 3, 5}, []int{2, 1}},
		"one":          {[]uint64{15}, []int{1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &target{answer: refusing(true, test.poisoned...)}
				j := open(t, 1<<20)
				fixture{j: j}.append(t, 20)
				f := start(t, j, nil, s)
				j.Seal()
				f.end(t)
				if diff := cmp.Diff(test.want, f.box.sizes); diff != "" {
					t.Errorf("letters per Add (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestDeadLettersDoNotWaitForFullBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{answer: func([]event.Event) (int, error) {
			time.Sleep(time.Second)
			return 0, sink.Permanent(errPoison)
		}}
		j := open(t, 1<<20)
		fixture{j: j}.append(t, 10)
		f := start(t, j, nil, s)
		j.Seal()
		f.end(t)
		for _, n := range f.box.sizes {
			if n > 2 { // one waiting letter, and one of the running attempt
				t.Errorf("sizes of the writes: %v", f.box.sizes)
			}
		}
	})
}

// If the power fails before the letter is on the disk, the journal must still contain its event.
func TestCursorWaitsForDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, 1<<20)
		fixture{j: j}.append(t, 10)
		var behind []uint64
		f := start(t, j, func(c *Config) {
			c.Letters.(*box).onAdd = func() { behind = append(behind, c.Reader.Backlog()) }
		}, &target{answer: refusing(true, 3, 6)})
		j.Seal()
		f.end(t)
		if len(behind) == 0 || slices.Min(behind) < 5 || behind[0] < 8 {
			t.Errorf("records after the cursor when letters 3 and 6 were added: %d", behind)
		}
	})
}

func TestReplayedDeadLettersKeepIdsAndOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{answer: refusing(true, 2, 4, 6)}
		f := start(t, open(t, 1<<20), nil, s)
		f.append(t, 10)
		synctest.Wait()
		s.answers(refusing(true, 4))
		f.box.mu.Lock()
		f.box.marked = append([]deadletter.Letter(nil), f.box.letters...)
		f.box.mu.Unlock()
		f.Replay()
		synctest.Wait()
		if diff := cmp.Diff([]uint64{4}, f.box.seqs()); diff != "" {
			t.Errorf("dead letters after the replay (-want +got):\n%s", diff)
		}
		if l := f.box.letters[0]; l.Attempts != 2 {
			t.Errorf("%d attempts with a letter that was refused twice", l.Attempts)
		}
		if got := f.State(); got.Replayed != 2 || got.Delivered != 7 || got.DeadLettered != 3 || got.Events != 10 || got.InFlight != 0 {
			t.Errorf("account %+v", got)
		}
		f.append(t, 1)
		f.j.Seal()
		f.end(t)
		wantAccepted(t, s, []uint64{1, 3, 5, 7, 8, 9, 10, 2, 6, 11})
	})
}
