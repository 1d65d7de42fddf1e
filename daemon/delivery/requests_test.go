// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/metrics"
)

// down refuses all events.
func down([]event.Event) (int, error) { return 0, errDown }

func TestPausedSinkReceivesNothingUntilItIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		f := start(t, open(t, 1<<20), nil, s)
		f.append(t, 15)
		time.Sleep(time.Minute)
		since := time.Now()
		f.Pause(since)
		f.append(t, 80)
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		got := f.State()
		if got.Delivered != 15 || got.Waiting+got.InFlight != 80 || sum(got) != 95 {
			t.Errorf("account %+v", got)
		}
		if len(got.Faults) != 1 || got.Faults[0].Reason != metrics.FaultPaused || !got.Faults[0].Since.Equal(since) {
			t.Errorf("faults %+v", got.Faults)
		}
		f.Resume()
		synctest.Wait()
		if got := f.State(); got.Delivered != 95 || len(got.Faults) > 0 {
			t.Errorf("account after the pause %+v", got)
		}
		f.finish(t, s, 95)
	})
}

// A pause lets the running attempt end, and its result counts.
func TestPauseDoesNotEndTheRunningAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		s.answers(func(events []event.Event) (int, error) { time.Sleep(time.Second); return len(events), nil })
		f := start(t, open(t, 1<<20), nil, s)
		f.append(t, 1)
		synctest.Wait()
		f.Pause(time.Now())
		f.append(t, 1)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := f.State(); got.Delivered != 1 || got.Waiting+got.InFlight != 1 {
			t.Errorf("account %+v", got)
		}
		f.Resume()
		time.Sleep(time.Second)
		synctest.Wait()
		f.finish(t, s, 2)
	})
}

func TestPausedSinkKeepsToItsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		f := start(t, open(t, 1<<20), func(c *Config) { c.Options.MaxAge = time.Hour }, s)
		f.Pause(time.Now())
		f.append(t, 30)
		time.Sleep(2 * time.Hour)
		f.append(t, 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := f.State(); got.Dropped[metrics.DroppedAge] != 30 || got.Waiting+got.InFlight != 1 {
			t.Errorf("account %+v", got)
		}
		f.Resume()
		synctest.Wait()
		f.j.Seal()
		f.end(t)
		wantAccepted(t, s, []uint64{31})
	})
}

func TestRetryStartsAnAttemptAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{answer: down}
		f := start(t, open(t, 1<<20), func(c *Config) { c.Options.RetryMin, c.Options.RetryMax = 24*time.Hour, 24*time.Hour }, s)
		f.append(t, 3)
		time.Sleep(time.Minute)
		synctest.Wait()
		before := s.attempts()
		f.Retry()
		synctest.Wait()
		if n := s.attempts(); n != before+1 {
			t.Errorf("%d attempts, %d before", n, before)
		}
		s.answers(nil)
		f.Retry()
		synctest.Wait()
		f.finish(t, s, 3)
	})
}

func TestSkippedEventsAreCountedAndTheOthersDelivered(t *testing.T) {
	cases := map[string]func(*fixture, *target){
		"of a sink that fails":     func(_ *fixture, s *target) { s.answers(down) },
		"of a sink that is paused": func(f *fixture, _ *target) { f.Pause(time.Now()) },
		"of a sink that refuses dead letters that cannot be written": func(f *fixture, s *target) {
			f.box.err = errDown
			s.answers(func([]event.Event) (int, error) { return 0, sink.Permanent(errDown) })
		},
	}
	for name, prepare := range cases {
		for _, senders := range []int{1, 3} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &target{}
					f := start(t, open(t, 1<<20), nil, slices.Repeat([]sink.Sink{s}, senders)...)
					prepare(&f, s)
					f.append(t, 95)
					time.Sleep(time.Hour)
					synctest.Wait()
					f.Skip(60)
					synctest.Wait()
					if got := f.State(); got.Dropped[metrics.DroppedSkipped] != 60 || got.Waiting+got.InFlight != 35 || sum(got) != 95 {
						t.Errorf("account %+v", got)
					}
					f.box.err = nil
					s.answers(nil)
					f.Resume()
					time.Sleep(time.Hour)
					synctest.Wait()
					f.j.Seal()
					f.end(t)
					slices.Sort(s.accepted) // several senders deliver without order
					wantAccepted(t, s, numbers(61, 95))
					if got := f.State(); got.Delivered != 35 || got.Dropped[metrics.DroppedSkipped] != 60 || sum(got) != 95 {
						t.Errorf("account at the end %+v", got)
					}
				})
			})
		}
	}
}

// The cursor cannot pass the rejected events before the next event of their batch, but they have an
// outcome.
func TestSkippedEventsAreSettledAlthoughRejectedOnesFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		f := start(t, open(t, 1<<20), func(c *Config) {
			c.Rules = &rules{evaluate: func(e *event.Event) (match.Verdict, error) {
				if e.Seq%10 == 1 {
					return match.Pass, nil
				}
				return match.Filtered, nil
			}}
		}, s)
		f.Pause(time.Now())
		f.append(t, 95)
		time.Sleep(time.Hour)
		synctest.Wait()
		if f.SettledTo(1) {
			t.Error("the first event has no outcome yet")
		}
		f.Skip(60)
		synctest.Wait()
		if !f.SettledTo(60) || f.SettledTo(61) {
			t.Errorf("settled to 60: %t, to 61: %t", f.SettledTo(60), f.SettledTo(61))
		}
		if got := f.State(); got.Dropped[metrics.DroppedSkipped] != 6 || sum(got) != 95 {
			t.Errorf("account %+v", got)
		}
		f.Skip(95)
		synctest.Wait()
		if !f.SettledTo(95) {
			t.Error("all events are skipped, but not settled")
		}
		f.j.Seal()
		f.end(t)
		wantAccepted(t, s, nil)
	})
}

// Skip to a number that was not received yet does not drop the events after it.
func TestSkipOfNothingDropsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		f := start(t, open(t, 1<<20), nil, s)
		f.append(t, 5)
		synctest.Wait()
		f.Skip(5)
		f.Skip(3)
		f.append(t, 5)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := f.State(); got.Dropped[metrics.DroppedSkipped] != 0 || got.Delivered != 10 {
			t.Errorf("account %+v", got)
		}
		f.finish(t, s, 10)
	})
}

// Each event has exactly one outcome for any requests of an operator, while the sink accepts, fails and
// refuses.
func TestEachEventHasOneOutcomeUnderRandomRequests(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			answers := rand.New(rand.NewPCG(seed, 2))
			s := &target{answer: func(events []event.Event) (int, error) {
				n := answers.IntN(len(events) + 1)
				switch answers.IntN(4) {
				case 0:
					return n, errDown
				case 1:
					return n, sink.Permanent(errors.New("bad"))
				}
				return len(events), nil
			}}
			f := start(t, open(t, 1<<20), nil, s)
			appended := 0
			for range 60 {
				switch r.IntN(9) {
				case 0:
					f.Pause(time.Now())
				case 1, 2:
					f.Resume()
				case 3:
					f.Retry()
				case 4:
					f.Skip(uint64(r.IntN(appended + 1)))
				case 5:
					<-f.Change(f.route, 0)
				case 6:
					if got := f.test(); !got.Attempted {
						t.Fatalf("seed %d: test %+v", seed, got)
					}
				default:
					n := r.IntN(20)
					f.append(t, n)
					appended += n
				}
				time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
				if got := f.State(); sum(got) != uint64(appended) || got.Events != uint64(appended) {
					t.Fatalf("seed %d: %d events, account %+v", seed, appended, got)
				}
			}
			s.answers(nil)
			f.Resume()
			time.Sleep(time.Hour)
			f.j.Seal()
			f.end(t)
			got := f.State()
			if got.Waiting+got.InFlight != 0 || sum(got) != uint64(appended) || got.DeadLettered != uint64(len(f.box.seqs())) {
				t.Errorf("seed %d: account %+v, %d letters", seed, got, len(f.box.seqs()))
			}
			outcomes := slices.Sorted(slices.Values(slices.Concat(s.accepted, f.box.seqs())))
			if n := len(slices.Compact(outcomes)); uint64(n) != got.Delivered+got.DeadLettered {
				t.Errorf("seed %d: %d events have reached the sink or the dead letters, counted %+v", seed, n, got)
			}
		})
	}
}
