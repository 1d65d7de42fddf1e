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

// another is the way to other sinks.
func (f fixture) another(sinks ...sink.Sink) Route {
	return Route{Sinks: sinks, Rules: f.route.Rules, Options: f.route.Options}
}

const noGrace, muchGrace = 0, time.Hour

// Sinks come and go while events flow; some attempts fail, some take a part.
func TestChangesLoseNothingAndDoubleNothing(t *testing.T) {
	for _, lanes := range []int{1, 3} {
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(seed, uint64(lanes)))
			var targets []*target
			several := func() (sinks []sink.Sink) {
				for range lanes {
					s, moods := &target{}, rand.New(rand.NewPCG(random.Uint64(), 1))
					s.answer = func(events []event.Event) (int, error) {
						if n := moods.IntN(2 * len(events)); n < len(events) {
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
			}, several()...)
			const events = 600
			before := uint64(0)
			for range events / 20 {
				f.append(t, 20)
				route := f.another(several()...)
				route.Options.BatchEvents = 1 + random.IntN(20)
				done := f.Change(route, muchGrace)
				if random.IntN(2) == 0 {
					<-done
				}
				s := f.State()
				if sum := s.Delivered + s.InFlight + s.Waiting; sum != s.Events || s.Delivered < before {
					t.Fatalf("the account says %+v after %d delivered", s, before)
				}
				before = s.Delivered
			}
			f.j.Seal()
			f.end(t)
			wantOnce(t, targets, events)
			if s := f.State(); s.Delivered != events || s.Events != events {
				t.Errorf("%d lanes, seed %d: the account says %d of %d", lanes, seed, s.Delivered, s.Events)
			}
		}
	}
}

// wantOnce demands that the targets together have taken each event once, and that all
// are closed, once.
func wantOnce(t *testing.T, targets []*target, events int) {
	t.Helper()
	var taken []uint64
	for i, s := range targets {
		taken = append(taken, s.taken...)
		if s.closed != 1 {
			t.Errorf("sink %d of %d was closed %d times", i, len(targets), s.closed)
		}
	}
	slices.Sort(taken)
	if diff := cmp.Diff(numbers(1, events), taken); diff != "" {
		t.Errorf("events taken (-want +got):\n%s", diff)
	}
}

func TestASinkThatHangsIsChangedAfterTheGrace(t *testing.T) {
	for _, lanes := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			hanging := []sink.Sink{&target{block: true}, &target{block: true}}[:lanes]
			f := start(t, open(t, 1<<20), func(c *Config) { c.Options.AttemptTimeout = time.Hour }, hanging...)
			f.append(t, 30)
			synctest.Wait()
			began, good := time.Now(), &target{}
			<-f.Change(f.another(good), time.Minute)
			if waited := time.Since(began); waited != time.Minute {
				t.Errorf("the attempt was given %v", waited)
			}
			if s := f.State(); s.Failures != 0 || s.LastError() != nil {
				t.Errorf("that it was aborted counts as a failure: %+v", s)
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

func TestASinkThatFailsIsChangedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := &target{answer: func([]event.Event) (int, error) { return 0, errors.New("away") }}
		f := start(t, open(t, 1<<20), func(c *Config) { c.Options.RetryMin, c.Options.RetryMax = time.Hour, time.Hour }, bad)
		f.append(t, 10)
		synctest.Wait()
		began, good := time.Now(), &target{}
		<-f.Change(f.another(good), time.Minute)
		synctest.Wait()
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the change took %v, and an attempt was not under way", waited)
		}
		f.j.Seal()
		f.end(t)
		wantTaken(t, good, numbers(1, 10))
	})
}

func TestSinksThatBothWaysHaveStayOpen(t *testing.T) {
	kept, left := &target{}, &target{}
	f := start(t, open(t, 1<<20), nil, kept, left)
	f.append(t, 5)
	<-f.Change(f.another(kept), muchGrace)
	if kept.closed != 0 || left.closed != 1 {
		t.Errorf("the sink that is kept was closed %d times, the other %d", kept.closed, left.closed)
	}
	f.append(t, 5)
	f.j.Seal()
	f.end(t)
	wantOnce(t, []*target{kept, left}, 10)
}

func TestChangesThatAreOvertakenAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, overtaken, last := &target{block: true}, &target{}, &target{}
		f := start(t, open(t, 1<<20), nil, first)
		f.append(t, 1)
		synctest.Wait()
		givenUp := f.Change(f.another(overtaken, first), time.Second)
		done := f.Change(f.another(last), time.Second)
		<-givenUp
		if overtaken.closed != 1 {
			t.Errorf("its sink was closed %d times", overtaken.closed)
		}
		<-done
		f.finish(t, last, 1)
		late := &target{}
		<-f.Change(f.another(late), time.Second)
		if late.closed != 1 || first.closed != 1 || last.closed != 1 {
			t.Errorf("closed: %d after the end, %d, %d", late.closed, first.closed, last.closed)
		}
	})
}

func TestAWorkerThatStopsHandsBackWhatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		some := &target{answer: func(events []event.Event) (int, error) {
			n := slices.IndexFunc(events, func(e event.Event) bool { return e.Seq > 4 })
			if n < 0 {
				return len(events), nil
			}
			return n, errors.New("full")
		}}
		j := open(t, 1<<20)
		f := start(t, j, func(c *Config) { c.Options.RetryMin, c.Options.RetryMax = time.Hour, time.Hour }, some)
		f.append(t, 20)
		synctest.Wait()
		<-f.Stop(time.Second)
		f.end(t)
		if some.closed != 1 {
			t.Errorf("the sink was closed %d times when the worker had stopped", some.closed)
		}
		after := &target{}
		next := startAs(t, "x0", j, nil, after)
		j.Seal()
		next.end(t)
		wantTaken(t, after, numbers(5, 20))
	})
}

// What the rules have suppressed before they were replaced, somebody must tell.
func TestRulesThatAreReplacedTellWhatTheySuppressed(t *testing.T) {
	owed := uint64(0)
	old := &rules{
		judge: func(*event.Event) (match.Verdict, error) { owed++; return match.SampledOut, nil },
		summaries: func(dst []event.Event, _ time.Time, end bool) []event.Event {
			if end && owed > 0 {
				dst = append(dst, event.Event{Suppressed: &event.Suppressed{Count: owed}})
				owed = 0
			}
			return dst
		},
	}
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		f := start(t, open(t, 1<<20), func(c *Config) { c.Rules = old }, s)
		f.append(t, 7)
		synctest.Wait()
		route := f.another(s)
		route.Rules = &rules{}
		<-f.Change(route, muchGrace)
		synctest.Wait()
		if st := f.State(); st.Summaries != 1 || owed != 0 {
			t.Errorf("%d summaries were taken, %d events are owed", st.Summaries, owed)
		}
		f.append(t, 2)
		f.j.Seal()
		f.end(t)
		wantTaken(t, s, []uint64{0, 8, 9})
	})
}

// The letters of what a sink has refused could not be kept, and it has taken what is
// behind: then the next one must keep them, and get nothing again.
func TestLettersThatAreOwedAreHandedOver(t *testing.T) {
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
		<-f.Change(f.another(next), time.Second)
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
			t.Errorf("the account says %+v", s)
		}
		taken := slices.Concat(picky.taken, next.taken)
		if diff := cmp.Diff([]uint64{1, 2, 4, 5, 6}, taken); diff != "" {
			t.Errorf("events taken (-want +got):\n%s", diff)
		}
	})
}
