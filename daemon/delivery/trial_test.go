// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/metrics"
)

// testTime is the time of a test.
const testTime = 20 * time.Second

// test makes a test.
func (f fixture) test() Tested {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	return f.Test(ctx, &event.Event{JournalID: f.j.ID(), Test: &event.Test{Sink: "x", Number: 7}})
}

// testLater begins a test, and returns its result through a channel.
func (f fixture) testLater() <-chan Tested {
	result := make(chan Tested, 1)
	go func() { result <- f.test() }()
	return result
}

// tested returns the number of test events that a target has accepted.
func (s *target) tested() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tests)
}

// A trace contains the state of a sink and its history.
type trace struct {
	State    metrics.SinkState
	Attempts []Attempt
	Observed uint64 // deliveries in the histograms of the latency
}

func (f fixture) trace(t *testing.T) trace {
	t.Helper()
	n := histogramOf(t, f.Latency.(prometheus.Histogram)).GetSampleCount()
	n += histogramOf(t, f.EndToEnd.(prometheus.Histogram)).GetSampleCount()
	return trace{f.State(), f.Attempts(), n}
}

// sameErrors compares errors by their texts.
func sameErrors() cmp.Option {
	return cmp.Comparer(func(a, b error) bool { return a == nil && b == nil || a != nil && b != nil && a.Error() == b.Error() })
}

// Each result of a test leaves each state of a sink unchanged. The test is made at once.
func TestATestIsMadeAtOnceAndChangesNothing(t *testing.T) {
	refused := errors.New("refused")
	states := map[string]func(f *fixture, s *target){
		"idle, unused": func(*fixture, *target) {},
		"idle":         func(f *fixture, _ *target) { f.append(t, 15) },
		"paused, idle": func(f *fixture, _ *target) { f.append(t, 15); time.Sleep(time.Second); f.Pause(time.Now()) },
		"paused":       func(f *fixture, _ *target) { f.Pause(time.Now()); f.append(t, 15) },
		"failing":      func(f *fixture, s *target) { s.answers(down); f.append(t, 15) },
		"refusing": func(f *fixture, s *target) {
			s.answers(func([]event.Event) (int, error) { return 0, sink.Permanent(errDown) })
			f.append(t, 15)
		},
	}
	results := map[string]struct {
		answer func([]event.Event) (int, error)
		err    error
	}{
		"accepted": {nil, nil},
		"failed":   {func([]event.Event) (int, error) { return 0, refused }, refused},
		"refused":  {func([]event.Event) (int, error) { return 0, sink.Permanent(refused) }, refused},
		"neither":  {func([]event.Event) (int, error) { return 0, nil }, nil},
	}
	for state, prepare := range states {
		for result, want := range results {
			t.Run(state+", "+result, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &target{}
					f := start(t, open(t, 1<<20), func(c *Config) { c.Options.RetryMin, c.Options.RetryMax = 24*time.Hour, 24*time.Hour }, s)
					prepare(&f, s)
					time.Sleep(time.Minute)
					synctest.Wait()
					before, attempts, at := f.trace(t), s.attempts(), time.Now()
					s.answers(want.answer)
					got := f.test()
					accepted := got.Err == nil
					if !got.Attempted || accepted != (result == "accepted") || want.err != nil && !errors.Is(got.Err, want.err) || !time.Now().Equal(at) {
						t.Errorf("test %+v after %s, want %v", got, time.Since(at), want.err)
					}
					if (sink.Poisoned(got.Err) > 0) != (result == "refused") {
						t.Errorf("permanent: %v", got.Err)
					}
					synctest.Wait()
					if n := s.attempts(); n != attempts+1 {
						t.Errorf("%d attempts, %d before", n, attempts)
					}
					if diff := cmp.Diff(before, f.trace(t), sameErrors()); diff != "" {
						t.Errorf("state (-before +after):\n%s", diff)
					}
					s.answers(nil)
					f.Resume()
					f.append(t, 1)
					time.Sleep(time.Hour)
					f.j.Seal()
					f.end(t)
					if end := f.State(); sum(end) != end.Events || end.Waiting+end.InFlight != 0 || end.Delivered != uint64(len(s.accepted)) {
						t.Errorf("account at the end %+v", end)
					}
				})
			})
		}
	}
}

// The rules of the sink neither reject the event nor see it, but templates find the captures.
func TestATestIsNotSubjectToRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		f := start(t, open(t, 1<<20), func(c *Config) {
			c.Rules = &rules{evaluate: func(e *event.Event) (match.Verdict, error) {
				if e.Test != nil {
					t.Error("the rules see the test")
				}
				return match.Filtered, nil
			}}
		}, s)
		if got := f.test(); got.Err != nil || len(s.tests) != 1 || s.tests[0].Test.Sink != "x" {
			t.Errorf("test %+v, received %+v", got, s.tests)
		}
		if diff := cmp.Diff(noCaptures, s.tests[0].Captures); diff != "" {
			t.Errorf("captures (-want +got):\n%s", diff)
		}
		f.finish(t, s, 0)
	})
}

// The contract of Deliver: one goroutine uses a sink at a time.
func TestATestIsMadeBetweenAttempts(t *testing.T) {
	for _, senders := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			var all []sink.Sink
			var sinks []*target
			for range senders {
				s := &target{}
				running := 0
				s.answer = func(events []event.Event) (int, error) {
					if running++; running > 1 {
						t.Error("two attempts at a time")
					}
					time.Sleep(time.Second)
					running--
					return len(events), nil
				}
				sinks, all = append(sinks, s), append(all, s)
			}
			f := start(t, open(t, 1<<20), nil, all...)
			f.append(t, 500)
			time.Sleep(1500 * time.Millisecond)
			began := time.Now()
			if got := f.test(); !got.Attempted || got.Err != nil || got.Took != time.Second || time.Since(began) > 3*time.Second {
				t.Errorf("test %+v after %s", got, time.Since(began))
			}
			time.Sleep(time.Hour)
			f.j.Seal()
			f.end(t)
			wantOnce(t, sinks, 500)
			if got := f.State(); got.Delivered != 500 {
				t.Errorf("account %+v", got)
			}
		})
	}
}

// A test that could not be made in time is not made later.
func TestATestOfASinkThatHangsIsWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, release := newBlocked()
		f := start(t, open(t, 1<<20), nil, s)
		f.append(t, 1)
		synctest.Wait()
		since := time.Now().UTC().Format(time.RFC3339)
		got := f.test()
		if got.Attempted || got.Err == nil || got.Err.Error() != "an earlier attempt is running since "+since {
			t.Errorf("test %+v", got)
		}
		close(release)
		synctest.Wait()
		if n := s.tested(); n != 0 {
			t.Errorf("%d tests were made later", n)
		}
		if got := f.test(); !got.Attempted || got.Err != nil {
			t.Errorf("later test %+v", got)
		}
		f.finish(t, s, 1)
	})
}

func TestATestEndsAlthoughItsOwnAttemptHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, release := newBlocked()
		f := start(t, open(t, 1<<20), nil, s)
		began := time.Now()
		if got := f.test(); !got.Attempted || !errors.Is(got.Err, errTestHangs) || time.Since(began) != testTime+testGrace {
			t.Errorf("test %+v after %s", got, time.Since(began))
		}
		if got := f.test(); got.Attempted || !strings.Contains(got.Err.Error(), "an earlier attempt is running since ") {
			t.Errorf("next test %+v", got)
		}
		f.append(t, 1)
		close(release)
		f.finish(t, s, 1)
	})
}

// An attempt that waits for an answer ends with its own timeout, or with the request.
func TestATestIsLimited(t *testing.T) {
	for _, timeout := range []time.Duration{5 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := &target{block: true}
			f := start(t, open(t, 1<<20), func(c *Config) { c.Options.AttemptTimeout = timeout }, s)
			began, limit := time.Now(), min(timeout, testTime)
			got := f.test()
			if !got.Attempted || got.Err == nil || got.Took != limit || time.Since(began) != limit {
				t.Errorf("test %+v after %s", got, time.Since(began))
			}
			if cut := strings.HasPrefix(got.Err.Error(), "no answer within 20s: "); cut != (timeout > testTime) {
				t.Errorf("timeout %s: %v", timeout, got.Err)
			}
			f.finish(t, s, 0)
		})
	}
}

func TestOneTestAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, release := newBlocked()
		f := start(t, open(t, 1<<20), nil, s)
		first := f.testLater()
		synctest.Wait()
		if got := f.test(); got.Attempted || !errors.Is(got.Err, ErrTesting) {
			t.Errorf("second test %+v", got)
		}
		close(release)
		if got := <-first; !got.Attempted || got.Err != nil {
			t.Errorf("first test %+v", got)
		}
		f.finish(t, s, 0)
	})
}

// The other sender is free, although one hangs.
func TestATestUsesAFreeSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung, release := newBlocked()
		free := &target{}
		f := start(t, open(t, 1<<20), func(c *Config) { c.Options.BatchEvents = 1 }, hung, free)
		f.append(t, 30)
		synctest.Wait()
		if got := f.test(); !got.Attempted || got.Err != nil || len(free.tests) != 1 {
			t.Errorf("test %+v, %d at the free sender", got, len(free.tests))
		}
		close(release)
		f.j.Seal()
		f.end(t)
		wantOnce(t, []*target{hung, free}, 30)
	})
}

func TestStopAnswersATest(t *testing.T) {
	for name, c := range map[string]struct {
		waiting bool // behind an attempt
		want    error
	}{"that waits": {true, errStopped}, "that is running": {false, errTestAborted}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &target{block: true}
				f := start(t, open(t, 1<<20), nil, s)
				if c.waiting {
					f.append(t, 1)
				}
				synctest.Wait()
				result := f.testLater()
				synctest.Wait()
				<-f.Stop(0)
				f.end(t)
				if got := <-result; !errors.Is(got.Err, c.want) || got.Attempted == c.waiting {
					t.Errorf("test %+v", got)
				}
				if got := f.test(); got.Attempted || !errors.Is(got.Err, errStopped) {
					t.Errorf("test of a stopped worker %+v", got)
				}
			})
		})
	}
}

// A reload that replaces the sink ends a running test, and a waiting one is made with the new sink.
func TestReloadAnswersATest(t *testing.T) {
	for _, waiting := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			old, next := &target{block: true}, &target{}
			f := start(t, open(t, 1<<20), nil, old)
			if waiting {
				f.append(t, 1)
			}
			synctest.Wait()
			result := f.testLater()
			synctest.Wait()
			<-f.Change(f.routeTo(next), 0)
			got := <-result
			if waiting && (got.Err != nil || len(next.tests) != 1) || !waiting && (!errors.Is(got.Err, errTestAborted) || len(next.tests) > 0) {
				t.Errorf("waiting %t: test %+v, %d at the new sink", waiting, got, len(next.tests))
			}
			if waiting {
				f.finish(t, next, 1)
			} else {
				f.finish(t, next, 0)
			}
		})
	}
}

// A reload with a long grace does not lose the result of a running test.
func TestReloadLetsATestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, release := newBlocked()
		f := start(t, open(t, 1<<20), nil, s)
		result := f.testLater()
		synctest.Wait()
		next := &target{}
		done := f.Change(f.routeTo(next), longGrace)
		time.Sleep(10 * time.Second)
		close(release)
		if got := <-result; got.Err != nil || !got.Attempted {
			t.Errorf("test %+v", got)
		}
		<-done
		f.finish(t, next, 0)
	})
}

// Events that the sink has accepted are not counted before the dead letters of others are written. A sink
// treats them as counted when it receives another attempt, so a test must wait.
func TestNoTestWhileDeadLettersCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		s.answers(func(events []event.Event) (int, error) {
			if i := slices.IndexFunc(events, func(e event.Event) bool { return e.Seq%2 == 1 }); i >= 0 {
				return i, sink.Permanent(errDown)
			}
			return len(events), nil
		})
		f := start(t, open(t, 1<<20), nil, s)
		f.box.err = errDown
		f.appendBatch(t, slices.Repeat([][]byte{{1}}, 10)...)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := f.test(); got.Attempted || !errors.Is(got.Err, errLettersFirst) {
			t.Errorf("test %+v", got)
		}
		f.box.mu.Lock()
		f.box.err = nil
		f.box.mu.Unlock()
		time.Sleep(time.Hour)
		s.answers(nil)
		if got := f.test(); !got.Attempted || got.Err != nil || s.tested() != 1 {
			t.Errorf("later test %+v", got)
		}
		f.j.Seal()
		f.end(t)
		if got := f.State(); got.Delivered != 5 || got.DeadLettered != 5 {
			t.Errorf("account %+v", got)
		}
	})
}
