// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A step is an event, the time between start and its receipt, and the expected verdict.
type step struct {
	after time.Duration
	text  string
	want  Verdict
}

func checkSteps(t *testing.T, r *Rules, steps []step) {
	t.Helper()
	for i, s := range steps {
		if v := evaluate(t, r, newEvent(uint64(i+1), s.after, s.text)); v != s.want {
			t.Errorf("step %d, %v %q: verdict %d, want %d", i, s.after, s.text, v, s.want)
		}
	}
}

func TestRateLimit(t *testing.T) {
	const ms = time.Millisecond
	tests := map[string]struct {
		limit RateLimit
		steps []step
	}{
		"a burst, then the rate": {RateLimit{Events: 2, Per: time.Second}, []step{
			{0, "", Pass},
			{0, "", Pass},
			{0, "", RateLimited},
			{499 * ms, "", RateLimited},
			{500 * ms, "", Pass},
			{501 * ms, "", RateLimited},
			{1001 * ms, "", Pass},
			{time.Hour, "", Pass},
			{time.Hour, "", Pass},
			{time.Hour, "", RateLimited},
		}},
		"a burst of its own": {RateLimit{Events: 1, Per: time.Minute, Burst: 3}, []step{
			{0, "", Pass}, {0, "", Pass}, {0, "", Pass}, {0, "", RateLimited}, {60_001 * ms, "", Pass}, {60_002 * ms, "", RateLimited},
		}},
		"a clock set back does not stop it": {RateLimit{Events: 1, Per: time.Second}, []step{
			{time.Hour, "", Pass}, {0, "", RateLimited}, {1001 * ms, "", Pass}, {1002 * ms, "", RateLimited},
		}},
		"a clock set ahead fills it once": {RateLimit{Events: 1, Per: time.Second}, []step{
			{0, "", Pass}, {time.Hour, "", Pass}, {time.Hour, "", RateLimited},
		}},
		"0 events is no limit": {RateLimit{Per: time.Second}, []step{{0, "", Pass}, {0, "", Pass}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { checkSteps(t, mustCompile(t, Options{RateLimit: test.limit}), test.steps) })
	}
}

func TestDedup(t *testing.T) {
	const s = time.Second
	tests := map[string]struct {
		dedup Dedup
		steps []step
	}{
		"once in each window, however often it repeats": {Dedup{Window: 10 * s}, []step{
			{0, "a", Pass},
			{1 * s, "a", Repeated},
			{1 * s, "b", Pass},
			{9 * s, "a", Repeated},
			{10 * s, "a", Pass},
			{11 * s, "b", Pass},
			{19 * s, "a", Repeated},
		}},
		"a key": {Dedup{Window: 10 * s, Key: `message[:1]`}, []step{{0, "ax", Pass}, {1 * s, "ay", Repeated}, {1 * s, "bx", Pass}}},
		"a clock set back a little": {Dedup{Window: 10 * s}, []step{
			{100 * s, "a", Pass}, {95 * s, "a", Repeated}, {105 * s, "a", Repeated}, {110 * s, "a", Pass},
		}},
		"a clock set back far does not stretch the window": {Dedup{Window: 10 * s}, []step{
			{100_000 * s, "a", Pass}, {0, "a", Pass}, {1 * s, "a", Repeated}, {10 * s, "a", Pass},
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { checkSteps(t, mustCompile(t, Options{Dedup: test.dedup}), test.steps) })
	}
}

// An event that the rate limit suppressed did not pass, so its repetition may pass.
func TestRateLimitedEventIsNotADuplicateLater(t *testing.T) {
	r := mustCompile(t, Options{Dedup: Dedup{Window: time.Hour}, RateLimit: RateLimit{Events: 1, Per: time.Second}})
	checkSteps(t, r, []step{
		{0, "a", Pass}, {0, "b", RateLimited}, {0, "a", Repeated}, {2 * time.Second, "b", Pass}, {2 * time.Second, "b", Repeated},
	})
}

// Repetitions use no token.
func TestDuplicatesUseNoToken(t *testing.T) {
	r := mustCompile(t, Options{Dedup: Dedup{Window: time.Hour}, RateLimit: RateLimit{Events: 2, Per: time.Hour}})
	checkSteps(t, r, []step{{0, "a", Pass}, {0, "a", Repeated}, {0, "a", Repeated}, {0, "b", Pass}, {0, "c", RateLimited}})
}

func TestDedupRemovesTheOldestKeysAtTheLimit(t *testing.T) {
	r := mustCompile(t, Options{Dedup: Dedup{Window: time.Hour}})
	for i := range maxKeys + 1 {
		evaluate(t, r, newEvent(uint64(i+1), 0, fmt.Sprint(i)))
	}
	if n := len(r.window.passed); n != maxKeys || len(r.window.order) != n {
		t.Errorf("%d keys, %d in order; want %d", n, len(r.window.order), maxKeys)
	}
	checkSteps(t, r, []step{{0, "1", Repeated}, {0, "0", Pass}, {0, "1", Pass}, {0, "3", Repeated}})
}

func TestDedupRemovesExpiredKeys(t *testing.T) {
	r := mustCompile(t, Options{Dedup: Dedup{Window: time.Second}})
	for i := range 1000 {
		evaluate(t, r, newEvent(uint64(i+1), time.Duration(i)*100*time.Millisecond, fmt.Sprint(i)))
	}
	if n := len(r.window.passed); n != 10 || len(r.window.order) != n {
		t.Errorf("%d keys, %d in order; want 10", n, len(r.window.order))
	}
}

func TestSampleIsDeterministic(t *testing.T) {
	const n, events = 10, 100_000
	a, b := mustCompile(t, Options{Sample: n}), mustCompile(t, Options{Sample: n})
	passed := [2]int{} // with odd and even numbers
	for seq := range uint64(events) {
		e := newEvent(seq, 0, "x")
		v := evaluate(t, a, e)
		if evaluate(t, b, e) != v || evaluate(t, a, e) != v {
			t.Fatalf("event %d has another verdict the second time", seq)
		}
		if v == Pass {
			passed[seq%2]++
		}
	}
	for parity, got := range passed {
		if want := float64(events / n / 2); math.Abs(float64(got)-want) > 5*math.Sqrt(want) {
			t.Errorf("%d events with parity %d, want about %v", got, parity, want)
		}
	}
}

// After an outage, the events arrive at once, with their times of receipt.
func TestCatchUpHasTheVerdictsOfLiveDelivery(t *testing.T) {
	o := Options{RateLimit: RateLimit{Events: 1, Per: time.Second}, Dedup: Dedup{Window: 3 * time.Second}}
	live, late := mustCompile(t, o), mustCompile(t, o)
	var want, got []Verdict
	clock := start
	for i := range uint64(50) {
		e := newEvent(i, time.Duration(i)*400*time.Millisecond, fmt.Sprint(i%5))
		want = append(want, evaluate(t, live, e))
		clock = clock.Add(time.Minute)
		live.Summaries(nil, clock, false)
		got = append(got, evaluate(t, late, e))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-live +late):\n%s", diff)
	}
}
