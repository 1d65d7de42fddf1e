// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/match"
)

// filterHalf returns rules that pass about half of the events.
func filterHalf(random *rand.Rand) *rules {
	return &rules{evaluate: func(*event.Event) (match.Verdict, error) {
		if random.IntN(2) == 0 {
			return match.Filtered, nil
		}
		return match.Pass, nil
	}}
}

func TestFilteredEventsAreCountedAndCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		f := start(t, open(t, 1<<20), func(c *Config) {
			c.Rules = &rules{evaluate: func(e *event.Event) (match.Verdict, error) {
				if e.Seq%10 != 0 || e.Seq > 80 {
					return match.Filtered, nil
				}
				return match.Pass, nil
			}}
		}, s)
		f.append(t, 100)
		synctest.Wait()
		if got := f.State(); got.Delivered != 8 || got.Filtered != 92 || got.Events != 100 || f.Reader.Backlog() != 0 {
			t.Errorf("account %+v, %d records are not committed", got, f.Reader.Backlog())
		}
		f.j.Seal()
		f.end(t)
		wantAccepted(t, s, []uint64{10, 20, 30, 40, 50, 60, 70, 80})
	})
}

func TestEventWithFailedRuleIsDeliveredAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		f := start(t, open(t, 1<<20), func(c *Config) {
			c.Rules = &rules{evaluate: func(*event.Event) (match.Verdict, error) { return match.Pass, errors.New("rule failed") }}
		}, s)
		f.append(t, 30)
		synctest.Wait()
		if got := f.State(); got.Delivered != 30 || got.RuleErrors != 30 {
			t.Errorf("account %+v", got)
		}
		if n := strings.Count(f.log.String(), "a rule failed"); n != 1 {
			t.Errorf("%d log lines for one fault", n)
		}
		f.finish(t, s, 30)
	})
}

// The real rules pass one third of the events. A summary reports the others once.
func TestSuppressedEventsAreReportedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		compiled, err := match.Compile(match.Options{RateLimit: match.RateLimit{Events: 10, Per: time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		s := &target{}
		var summaries []event.Suppressed
		s.answer = func(events []event.Event) (int, error) {
			for _, e := range events {
				if e.Suppressed != nil {
					summaries = append(summaries, *e.Suppressed)
				}
			}
			return len(events), nil
		}
		f := start(t, open(t, 1<<20), func(c *Config) { c.Rules = compiled }, s)
		f.append(t, 30)
		time.Sleep(time.Minute)
		synctest.Wait()
		got := f.State()
		if got.Delivered != 10 || got.Suppressed["rate_limit"] != 20 || got.Events != 30 || got.Summaries != 1 || f.Reader.Backlog() != 0 {
			t.Errorf("account %+v", got)
		}
		if len(summaries) != 1 || summaries[0].Count != 20 || summaries[0].Reason != "rate_limit" {
			t.Errorf("summaries %+v", summaries)
		}
		f.append(t, 5)
		synctest.Wait()
		f.j.Seal() // sealed before the next summary is ready
		f.end(t)
		if len(summaries) != 2 || summaries[1].Count != 5 {
			t.Errorf("summaries at the end %+v", summaries)
		}
	})
}
