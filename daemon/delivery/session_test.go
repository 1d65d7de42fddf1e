// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
)

// routeTo returns the initial route with other sinks.
func (f fixture) routeTo(sinks ...sink.Sink) Route {
	return Route{Sinks: sinks, Rules: f.route.Rules, Options: f.route.Options}
}

const longGrace = time.Hour

// Sinks are replaced during delivery. Some attempts fail, and some accept a part of their batch.
func TestChangesNeitherLoseNorRepeatEvents(t *testing.T) {
	for _, senders := range []int{1, 3} {
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(seed, uint64(senders)))
			var targets []*target
			newSinks := func() (sinks []sink.Sink) {
				for range senders {
					s, answers := &target{}, rand.New(rand.NewPCG(random.Uint64(), 1))
					s.answer = func(events []event.Event) (int, error) {
						if n := answers.IntN(2 * len(events)); n < len(events) {
							return n, errors.New("not now")
						}
						return len(events), nil
					}
					targets, sinks = append(targets, s), append(sinks, s)
				}
				return sinks
			}
			f := start(t, open(t, 1<<20), func(c *Config) {
				c.Options.RetryMin, c.Options.RetryMax = time.Microsecond, time.Millisecond
			}, newSinks()...)
			const events = 600
			before := uint64(0)
			for range events / 20 {
				f.append(t, 20)
				route := f.routeTo(newSinks()...)
				route.Options.BatchEvents = 1 + random.IntN(20)
				done := f.Change(route, longGrace)
				if random.IntN(2) == 0 {
					<-done
				}
				s := f.State()
				if sum := s.Delivered + s.InFlight + s.Waiting; sum != s.Events || s.Delivered < before {
					t.Fatalf("account %+v after %d were delivered", s, before)
				}
				before = s.Delivered
			}
			f.j.Seal()
			f.end(t)
			wantOnce(t, targets, events)
			if s := f.State(); s.Delivered != events || s.Events != events {
				t.Errorf("%d senders, seed %d: %d of %d events were delivered", senders, seed, s.Delivered, s.Events)
			}
		}
	}
}

// wantOnce checks that the targets together accepted each event once, and that each target
// was closed once.
func wantOnce(t *testing.T, targets []*target, events int) {
	t.Helper()
	var accepted []uint64
	for i, s := range targets {
		accepted = append(accepted, s.accepted...)
		if s.closed != 1 {
			t.Errorf("sink %d of %d was closed %d times, want 1", i, len(targets), s.closed)
		}
	}
	slices.Sort(accepted)
	if diff := cmp.Diff(numbers(1, events), accepted); diff != "" {
		t.Errorf("events accepted (-want +got):\n%s", diff)
	}
}

func TestHangingSinkIsChangedAfterGrace(t *testing.T) {
	for _, senders := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			hanging := []sink.Sink{&target{block: true}, &target{block: true}}[:senders]
			f := start(t, open(t, 1<<20), func(c *Config) { c.Options.AttemptTimeout = time.Hour }, hanging...)
			f.append(t, 30)
			synctest.Wait()
			began, good := time.Now(), &target{}
			<-f.Change(f.routeTo(good), time.Minute)
			if waited := time.Since(began); waited != time.Minute {
				t.Errorf("the attempt was aborted after %v", waited)
			}
			if s := f.State(); s.Failures != 0 || s.LastError() != nil {
				t.Errorf("the abort counts as a failure: %+v", s)
			}
			f.finish(t, good, 30)
			for _, s := range hanging {
				if s.(*target).closed != 1 {
					t.Error("the sink that hung was not closed")
				}
			}
		})
	}
}

func TestFailingSinkIsChangedImmediately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := &target{answer: func([]event.Event) (int, error) { return 0, errDown }}
		f := start(t, open(t, 1<<20), func(c *Config) { c.Options.RetryMin, c.Options.RetryMax = time.Hour, time.Hour }, bad)
		f.append(t, 10)
		synctest.Wait()
		began, good := time.Now(), &target{}
		<-f.Change(f.routeTo(good), time.Minute)
		synctest.Wait()
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the change took %v although no attempt was running", waited)
		}
		f.j.Seal()
		f.end(t)
		wantAccepted(t, good, numbers(1, 10))
	})
}

func TestSinksOfBothRoutesStayOpen(t *testing.T) {
	shared, removed := &target{}, &target{}
	f := start(t, open(t, 1<<20), nil, shared, removed)
	f.append(t, 5)
	<-f.Change(f.routeTo(shared), longGrace)
	if shared.closed != 0 || removed.closed != 1 {
		t.Errorf("the sink of both routes was closed %d times, the other %d times", shared.closed, removed.closed)
	}
	f.append(t, 5)
	f.j.Seal()
	f.end(t)
	wantOnce(t, []*target{shared, removed}, 10)
}

func TestReplacedChangeIsAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, replaced, last := &target{block: true}, &target{}, &target{}
		f := start(t, open(t, 1<<20), nil, first)
		f.append(t, 1)
		synctest.Wait()
		abandoned := f.Change(f.routeTo(replaced, first), time.Second)
		done := f.Change(f.routeTo(last), time.Second)
		<-abandoned
		if replaced.closed != 1 {
			t.Errorf("the sink of the replaced change was closed %d times, want 1", replaced.closed)
		}
		<-done
		f.finish(t, last, 1)
		late := &target{}
		<-f.Change(f.routeTo(late), time.Second)
		if late.closed != 1 || first.closed != 1 || last.closed != 1 {
			t.Errorf("closed %d times after the end, %d, %d, want 1 each", late.closed, first.closed, last.closed)
		}
	})
}

func TestStoppedWorkerKeepsUndeliveredEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		partial := &target{answer: func(events []event.Event) (int, error) {
			n := slices.IndexFunc(events, func(e event.Event) bool { return e.Seq > 4 })
			if n < 0 {
				return len(events), nil
			}
			return n, errors.New("full")
		}}
		j := open(t, 1<<20)
		f := start(t, j, func(c *Config) { c.Options.RetryMin, c.Options.RetryMax = time.Hour, time.Hour }, partial)
		f.append(t, 20)
		synctest.Wait()
		<-f.Stop(time.Second)
		f.end(t)
		if partial.closed != 1 {
			t.Errorf("the sink was closed %d times after Stop, want 1", partial.closed)
		}
		after := &target{}
		next := startAs(t, "x0", j, nil, after)
		j.Seal()
		next.end(t)
		wantAccepted(t, after, numbers(5, 20))
	})
}

// Replaced rules must report the events that they suppressed.
func TestReplacedRulesReportSuppressedEvents(t *testing.T) {
	unreported := uint64(0)
	old := &rules{
		evaluate: func(*event.Event) (match.Verdict, error) { unreported++; return match.SampledOut, nil },
		summaries: func(dst []event.Event, _ time.Time, end bool) []event.Event {
			if end && unreported > 0 {
				dst = append(dst, event.Event{Suppressed: &event.Suppressed{Count: unreported}})
				unreported = 0
			}
			return dst
		},
	}
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		f := start(t, open(t, 1<<20), func(c *Config) { c.Rules = old }, s)
		f.append(t, 7)
		synctest.Wait()
		route := f.routeTo(s)
		route.Rules = &rules{}
		<-f.Change(route, longGrace)
		synctest.Wait()
		if st := f.State(); st.Summaries != 1 || unreported != 0 {
			t.Errorf("%d summaries were accepted, %d suppressed events are not reported", st.Summaries, unreported)
		}
		f.append(t, 2)
		f.j.Seal()
		f.end(t)
		wantAccepted(t, s, []uint64{0, 8, 9})
	})
}

// The letters of refused events could not be written, and the sink accepted later events.
// The next session must write the letters and must not deliver the later events again.
func TestNextSessionWritesUnpersistedLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		picky := &target{}
		picky.answer = func(events []event.Event) (int, error) {
			for i, e := range events {
				if e.Seq == 3 {
					return i, sink.Permanent(errors.New("no"))
				}
			}
			return len(events), nil
		}
		f := start(t, open(t, 1<<20), func(c *Config) {
			c.Options.RetryMin, c.Options.RetryMax = time.Second, time.Second
		}, picky)
		f.box.err = errors.New("the disk is full")
		f.append(t, 6)
		time.Sleep(time.Minute)
		next := &target{answer: picky.answer}
		<-f.Change(f.routeTo(next), time.Second)
		f.box.mu.Lock()
		f.box.err = nil
		f.box.mu.Unlock()
		time.Sleep(time.Minute)
		f.j.Seal()
		f.end(t)
		if diff := cmp.Diff([]uint64{3}, f.box.seqs()); diff != "" {
			t.Errorf("dead letters (-want +got):\n%s", diff)
		}
		if s := f.State(); s.DeadLettered != 1 || s.Delivered != 5 {
			t.Errorf("account %+v", s)
		}
		accepted := slices.Concat(picky.accepted, next.accepted)
		if diff := cmp.Diff([]uint64{1, 2, 4, 5, 6}, accepted); diff != "" {
			t.Errorf("events accepted (-want +got):\n%s", diff)
		}
	})
}
