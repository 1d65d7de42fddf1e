// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"testing"
	"time"
)

func TestBackoffGrowsWithJitterUpToLimit(t *testing.T) {
	const shortest, longest = 100 * time.Millisecond, 3 * time.Second
	for failures := range 100 {
		most := min(shortest<<min(max(failures-1, 0), 20), longest)
		different := map[time.Duration]bool{}
		for range 100 {
			d := fullJitter(failures, shortest, longest)
			if d < shortest/2 || d > most {
				t.Fatalf("fullJitter(%d) = %v, want %v to %v", failures, d, shortest/2, most)
			}
			different[d] = true
		}
		if len(different) < 10 {
			t.Errorf("fullJitter(%d) has no jitter", failures)
		}
	}
}

func TestBackoffEndsAfterRecovery(t *testing.T) {
	b := backoff{shortest: 100 * time.Millisecond, longest: 30 * time.Second}
	if pause := b.succeeded(); pause != 0 {
		t.Errorf("a pause of %v without a failure", pause)
	}
	for range 20 {
		b.failed(false, 0)
	}
	var total time.Duration
	pauses := 0
	for range 20 {
		pause := b.succeeded()
		total += pause
		if pause > 0 {
			pauses++
		}
	}
	if pauses < 3 || total > 4*time.Second {
		t.Errorf("%d pauses with a total of %v after a recovery", pauses, total)
	}
	if b.failed(false, 0); b.failures != 1 {
		t.Errorf("%d failures after the first", b.failures)
	}
}
