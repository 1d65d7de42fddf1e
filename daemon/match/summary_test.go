// SPDX-License-Identifier: Apache-2.0

package match

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
)

// newSummary returns the summary with that event number, received that long after start.
func newSummary(seq uint64, after time.Duration, count uint64, reason string, from, to time.Duration) event.Event {
	e := *newEvent(seq, after, "")
	e.Message = nil
	e.Suppressed = &event.Suppressed{Count: count, Reason: reason, From: start.Add(from), To: start.Add(to)}
	return e
}

const sec = time.Second

func TestEveryReasonHasASummary(t *testing.T) {
	r := mustCompile(t, Options{Dedup: Dedup{Window: time.Hour}, RateLimit: RateLimit{Events: 1, Per: time.Hour}})
	checkSteps(t, r, []step{
		{0, "a", Pass}, {1 * sec, "a", Repeated}, {2 * sec, "b", RateLimited}, {3 * sec, "a", Repeated}, {4 * sec, "c", RateLimited},
	})
	if got := r.Summaries(nil, start, false); got != nil {
		t.Errorf("too soon: %v", got)
	}
	first := *newEvent(1, 0, "kept")
	want := []event.Event{first, newSummary(5, 4*sec, 2, "dedup", 1*sec, 3*sec), newSummary(5, 4*sec, 2, "rate_limit", 2*sec, 4*sec)}
	got := r.Summaries([]event.Event{first}, start, true)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("summaries (-want +got):\n%s", diff)
	}
	if got[1].ID() != "9f3c-5-dedup" || got[2].ID() != "9f3c-5-rate_limit" {
		t.Errorf("ids %s, %s", got[1].ID(), got[2].ID())
	}
	if got := r.Summaries(nil, start, true); got != nil {
		t.Errorf("summaries returned twice: %v", got)
	}
}

// A limit that lets every second event pass must not produce a summary for each.
func TestSummariesAreAtLeastTenSecondsApart(t *testing.T) {
	r := mustCompile(t, Options{RateLimit: RateLimit{Events: 1, Per: sec}})
	var got []event.Event
	for i := range uint64(60) { // two events a second, for half a minute
		e := newEvent(i, time.Duration(i)*sec/2, "x")
		evaluate(t, r, e)
		got = r.Summaries(got, start, false)
	}
	want := []event.Event{
		newSummary(20, 10*sec, 10, "rate_limit", sec/2, 19*sec/2),
		newSummary(40, 20*sec, 10, "rate_limit", 21*sec/2, 39*sec/2),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("summaries (-want +got):\n%s", diff)
	}
	want = []event.Event{newSummary(59, 59*sec/2, 10, "rate_limit", 41*sec/2, 59*sec/2)}
	if diff := cmp.Diff(want, r.Summaries(nil, start, true)); diff != "" {
		t.Errorf("the rest (-want +got):\n%s", diff)
	}
}

func TestPeriodEndsWithoutEvents(t *testing.T) {
	r := mustCompile(t, Options{Dedup: Dedup{Window: time.Hour}})
	checkSteps(t, r, []step{{0, "a", Pass}, {0, "a", Repeated}})
	clock := start.Add(time.Hour) // while catching up, the clock is unrelated to the times of receipt
	for _, wait := range []time.Duration{0, 5 * sec, 9 * sec} {
		if got := r.Summaries(nil, clock.Add(wait), false); got != nil {
			t.Errorf("after %v: %v", wait, got)
		}
	}
	want := []event.Event{newSummary(2, 0, 1, "dedup", 0, 0)}
	if diff := cmp.Diff(want, r.Summaries(nil, clock.Add(10*sec), false)); diff != "" {
		t.Errorf("summaries (-want +got):\n%s", diff)
	}
}

func TestClockThatIsSetBackEndsAPeriod(t *testing.T) {
	r := mustCompile(t, Options{Dedup: Dedup{Window: 1000 * sec}})
	checkSteps(t, r, []step{{100 * sec, "a", Pass}, {101 * sec, "a", Repeated}, {0, "a", Repeated}})
	want := []event.Event{newSummary(2, 101*sec, 1, "dedup", 101*sec, 101*sec)}
	if diff := cmp.Diff(want, r.Summaries(nil, start, false)); diff != "" {
		t.Errorf("summaries (-want +got):\n%s", diff)
	}
}

// For any order of suppression, the numbers that a sink sees never decrease, and the
// counts of all summaries equal those of the verdicts.
func TestSummariesCountExactlyAndNumbersDoNotDecrease(t *testing.T) {
	r := mustCompile(t, Options{
		Filter: "seq % 7 != 0", Sample: 2, Dedup: Dedup{Window: 20 * sec, Key: "message[:1]"}, RateLimit: RateLimit{Events: 1, Per: 2 * sec},
	})
	want, got := map[string]uint64{}, map[string]uint64{}
	ids := map[string]bool{}
	var out []event.Event
	for i := range uint64(10_000) {
		e := newEvent(i, time.Duration(i)*sec/3, string('a'+rune(i*i%11)))
		v := evaluate(t, r, e)
		if v.Suppressed() {
			want[v.Reason()]++
			continue
		}
		out = r.Summaries(out, start.Add(time.Duration(i)*sec), false)
		if v == Pass {
			out = append(out, *e)
		}
	}
	out = r.Summaries(out, start, true)
	last := uint64(0)
	for i := range out {
		e := &out[i]
		if e.Seq < last || ids[e.ID()] {
			t.Fatalf("%s after number %d", e.ID(), last)
		}
		last, ids[e.ID()] = e.Seq, true
		if e.Suppressed != nil {
			got[e.Suppressed.Reason] += e.Suppressed.Count
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) != 3 {
		t.Errorf("suppressed (-verdicts +summaries):\n%s", diff)
	}
}

func TestSummaryPassesEveryRule(t *testing.T) {
	r := mustCompile(t, Options{Filter: "false", Sample: 1 << 40})
	e := newSummary(1, 0, 3, "sample", 0, 0)
	if v := evaluate(t, r, &e); v != Pass {
		t.Errorf("verdict %d", v)
	}
}
