// SPDX-License-Identifier: Apache-2.0

package match

import (
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// A clock step between two events neither ends a window nor fills a bucket.
func TestClockStepChangesNoVerdict(t *testing.T) {
	begin := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, step := range map[string]time.Duration{"forward": 6 * 365 * 24 * time.Hour, "back": -6 * 365 * 24 * time.Hour} {
		for rule, o := range map[string]Options{
			"dedup":      {Dedup: Dedup{Window: time.Hour}},
			"rate limit": {RateLimit: RateLimit{Events: 1, Per: time.Hour}},
		} {
			r := mustCompile(t, o)
			steady := begin
			r.SetSteady(func(time.Time) time.Time { return steady })
			e := &event.Event{Time: begin, Message: []byte("x")}
			if v, err := r.Evaluate(e); v != Pass || err != nil {
				t.Fatalf("%s: %v, %v", rule, v, err)
			}
			e.Time, steady = begin.Add(step), steady.Add(time.Minute)
			if v, err := r.Evaluate(e); v == Pass || err != nil {
				t.Errorf("%s, %s: the second passes, %v", rule, name, err)
			}
			steady = steady.Add(time.Hour)
			if v, err := r.Evaluate(e); v != Pass || err != nil {
				t.Errorf("%s, %s: after an hour: %v, %v", rule, name, v, err)
			}
		}
	}
}
