// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sink"
)

var errDown = errors.New("down")

func TestEventsAreDeliveredInOrderForAnyAnswer(t *testing.T) {
	answers := map[string]func(n int) (int, error){
		"all":                       nil,
		"one at a time":             func(int) (int, error) { return 1, errDown },
		"half":                      func(n int) (int, error) { return (n + 1) / 2, errDown },
		"fewer without an error":    func(n int) (int, error) { return max(1, n-1), nil },
		"more than it was given":    func(n int) (int, error) { return n + 5, nil },
		"less than nothing, once":   sometimes(-3, errDown),
		"nothing without an error":  sometimes(0, nil),
		"all and an error":          func(n int) (int, error) { return n, errDown },
		"none three times in a row": sometimes(0, errDown),
		"all and a poisoned one":    func(n int) (int, error) { return n, sink.Permanent(errDown) },
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &target{}
				if answer != nil {
					s.answer = func(events []event.Event) (int, error) { return answer(len(events)) }
				}
				f := start(t, open(t, 1<<20), nil, s)
				f.append(t, 95)
				time.Sleep(time.Hour)
				synctest.Wait()
				if got := f.State(); got.Delivered != 95 || got.Events != 95 || sum(got) != 95 {
					t.Errorf("account %+v", got)
				}
				f.finish(t, s, 95)
			})
		})
	}
}

// sometimes returns this answer three times out of four, and otherwise accepts all.
func sometimes(accepted int, err error) func(n int) (int, error) {
	calls := 0
	return func(n int) (int, error) {
		if calls++; calls%4 != 0 {
			return accepted, err
		}
		return n, nil
	}
}

func TestUnavailableSinkIsRetriedWithoutLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{answer: func([]event.Event) (int, error) { return 0, errors.New("down\x1b[2J") }}
		f := start(t, open(t, 1<<20), nil, s)
		f.append(t, 25)
		time.Sleep(time.Hour)
		synctest.Wait()
		got := f.State()
		if got.Delivered != 0 || got.InFlight == 0 || got.InFlight+got.Waiting != 25 ||
			got.LastError() == nil || got.Failures != uint64(s.attempts()) {
			t.Errorf("account of an unavailable sink %+v after %d attempts", got, s.attempts())
		}
		// The mean pause is half of RetryMax, and the longest is RetryMax.
		if s.attempts() < 360 || s.attempts() > 2000 {
			t.Errorf("%d attempts in an hour", s.attempts())
		}
		if n := strings.Count(f.log.String(), "delivery failed"); n < 40 || n > 60 {
			t.Errorf("%d log lines about one fault in an hour, want about one per minute", n)
		}
		if strings.Contains(f.log.String(), "\x1b") {
			t.Error("an escape sequence reached the log")
		}
		s.answers(nil)
		time.Sleep(time.Minute)
		f.finish(t, s, 25)
		if !strings.Contains(f.log.String(), "works again") {
			t.Error("the log does not contain the recovery")
		}
	})
}

func TestRecoveredSinkIsNotFlooded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{answer: func([]event.Event) (int, error) { return 0, errDown }}
		f := start(t, open(t, 0), func(c *Config) { c.Options.RetryMax = 30 * time.Second }, s)
		for range 4 * 60 {
			f.append(t, 10)
			time.Sleep(time.Minute)
		}
		s.answers(nil)
		back := time.Now()
		time.Sleep(time.Minute)
		synctest.Wait()
		first, soon := time.Duration(0), 0
		for _, at := range s.at {
			if since := at.Sub(back); since >= 0 {
				if soon++; soon == 1 {
					first = since
				}
				if since > first+50*time.Millisecond {
					soon--
				}
			}
		}
		// At full speed all 240 attempts would start at once.
		if soon > 20 {
			t.Errorf("%d attempts in the first 50 ms after the recovery", soon)
		}
		f.finish(t, s, 2400)
	})
}

func TestHangingAttemptIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{block: true}
		f := start(t, open(t, 1<<20), nil, s)
		f.append(t, 1)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := f.State(); !errors.Is(got.LastError(), context.DeadlineExceeded) {
			t.Errorf("account %+v", got)
		}
		f.stop()
		f.end(t)
		if got := f.State(); got.InFlight != 1 || errors.Is(got.LastError(), context.Canceled) {
			t.Errorf("the shutdown counts as a fault of the sink, or its event is not counted: %+v", got)
		}
	})
}

func TestRetryAfterIsRespected(t *testing.T) {
	for _, asked := range []time.Duration{42 * time.Second, 100 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := &target{answer: func([]event.Event) (int, error) { return 0, sink.RetryAfter(asked, errDown) }}
			f := start(t, open(t, 1<<20), nil, s)
			f.append(t, 1)
			time.Sleep(3 * time.Hour)
			synctest.Wait()
			want := min(asked, maxRetryAfter)
			for i := 1; i < len(s.at); i++ {
				if pause := s.at[i].Sub(s.at[i-1]); pause != want {
					t.Errorf("a pause of %v, the server requested %v", pause, asked)
				}
			}
			if s.attempts() < 2 {
				t.Errorf("%d attempts", s.attempts())
			}
			f.stop()
			f.end(t)
		})
	}
}

func TestBatchLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		f := start(t, open(t, 1<<20), func(c *Config) {
			c.Options.BatchEvents, c.Options.BatchBytes, c.Options.BatchWait = 7, 1000, time.Second
		}, s)
		text := bytes.Repeat([]byte("x"), 300)
		f.appendBatch(t, text, text, text, text, text, bytes.Repeat(text, 10)) // three fit into one batch
		for range 20 {
			f.append(t, 1)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for i, n := range s.sizes {
			if n > 7 || n > 1 && s.bytes[i] > 1000 {
				t.Errorf("attempt %d has %d events of %d bytes", i, n, s.bytes[i])
			}
		}
		if len(s.sizes) > 7 {
			t.Errorf("%d attempts for 26 events: %v", len(s.sizes), s.sizes)
		}
		f.finish(t, s, 26)
	})
}

func TestSingleEventIsDeliveredWithinBatchWait(t *testing.T) {
	for _, wait := range []time.Duration{0, 50 * time.Millisecond, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			s := &target{}
			f := start(t, open(t, 1<<20), func(c *Config) { c.Options.BatchWait = wait }, s)
			for range 3 {
				time.Sleep(time.Hour)
				sent := time.Now()
				f.append(t, 1)
				time.Sleep(wait)
				synctest.Wait()
				if last := s.at[len(s.at)-1]; last.Before(sent) || last.Sub(sent) > wait {
					t.Errorf("delivered after %v, wait is %v", last.Sub(sent), wait)
				}
			}
			f.finish(t, s, 3)
		})
	}
}

func TestSlowSinkDoesNotDelayOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, 1<<20)
		slow := start(t, j, nil, &target{block: true})
		s := &target{}
		fast := start(t, j, nil, s)
		fast.append(t, 50)
		synctest.Wait()
		if got := fast.State(); got.Delivered != 50 {
			t.Errorf("account %+v", got)
		}
		slow.stop()
		slow.end(t)
		fast.finish(t, s, 50)
	})
}

func TestUndecodableEventIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		f := start(t, open(t, 1<<20), func(c *Config) {
			c.Decode = func(r journal.Record) (event.Event, error) { return event.Event{Seq: r.Seq}, errors.New("undecodable") }
		}, s)
		f.append(t, 1)
		synctest.Wait()
		f.finish(t, s, 1)
	})
}

// For any sinks and limits, each event has exactly one outcome at each moment, and the
// cursor never passes an event without one.
func TestEachEventHasOneOutcomeAtAnyTime(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			var sinks []sink.Sink
			for range 1 + int(seed%3)*2 {
				sinks = append(sinks, &target{answer: randomAnswers(rand.New(rand.NewPCG(seed, uint64(len(sinks)+1))))})
			}
			f := start(t, open(t, 1<<20), func(c *Config) {
				c.Rules = filterHalf(rand.New(rand.NewPCG(seed, 99)))
				c.Options.MaxAge = time.Duration(seed%2) * time.Minute
				c.Options.MaxLagBytes = int64(seed%4) * 2000
				c.Options.BatchWait = time.Duration(seed%3) * 50 * time.Millisecond
			}, sinks...)
			sent := 0
			for range 300 {
				n := random.IntN(12)
				f.append(t, n)
				sent += n
				time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
				if got := f.State(); got.Events != uint64(sent) || sum(got) != uint64(sent) {
					t.Fatalf("%d events were journaled, the account is %+v", sent, got)
				}
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if got := f.State(); got.InFlight != 0 || got.Waiting != 0 || sum(got) != uint64(sent) {
				t.Errorf("%d events were journaled, the account at the end is %+v", sent, got)
			}
			f.j.Seal()
			f.end(t)
		})
	}
}

// randomAnswers returns random answers of all kinds.
func randomAnswers(random *rand.Rand) func([]event.Event) (int, error) {
	return func(events []event.Event) (int, error) {
		n := random.IntN(len(events) + 1)
		switch random.IntN(6) {
		case 0:
			return n, errDown
		case 1:
			return n, sink.Permanent(errDown)
		case 2:
			return n, sink.PermanentAmong(random.IntN(20), errDown)
		case 3:
			return 0, sink.RetryAfter(time.Second, errDown)
		default:
			return len(events), nil
		}
	}
}

func TestNextWorkerContinuesAfterAcceptedEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, 1<<20)
		s := &target{answer: func(events []event.Event) (int, error) {
			for i := range events {
				if events[i].Seq > 30 {
					return i, errDown
				}
			}
			return len(events), nil
		}}
		f := start(t, j, nil, s)
		f.append(t, 50)
		synctest.Wait()
		f.stop()
		f.end(t)
		reader, err := j.NewReader("x0", journal.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s.answers(nil)
		again := start(t, j, func(c *Config) { c.Reader.Close(); c.Reader = reader }, s)
		synctest.Wait()
		if got := again.State(); got.Delivered != 20 || got.Events != 20 {
			t.Errorf("account after the restart %+v", got)
		}
		again.finish(t, s, 50)
	})
}
