// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"math/rand/v2"
	"time"
)

const (
	// maxRetryAfter bounds the pause that a server can request, so that a wrong value,
	// such as a year, does not stop delivery.
	maxRetryAfter = time.Hour
	// rampShare is the share of the longest pause that is the first pause after a recovery.
	rampShare = 32
)

// A backoff computes the pauses between attempts. They grow with each failure. After a
// recovery they shrink with each success, so that a server that has just recovered does
// not receive the full load at once.
type backoff struct {
	shortest, longest time.Duration
	failures          int // consecutive failures without progress
	ramp              time.Duration
}

// failed returns the pause after a failed attempt. requested is the minimum that the
// server asked for.
func (b *backoff) failed(progress bool, requested time.Duration) time.Duration {
	if progress {
		b.failures = 0
	}
	b.failures++
	return max(fullJitter(b.failures, b.shortest, b.longest), min(requested, maxRetryAfter))
}

// succeeded returns the pause after a successful attempt, usually 0.
func (b *backoff) succeeded() time.Duration {
	if b.failures > 1 {
		b.ramp = min(ceiling(b.failures, b.shortest, b.longest), b.longest/rampShare)
	}
	b.failures = 0
	if b.ramp < time.Millisecond {
		return 0
	}
	pause := rand.N(b.ramp)
	b.ramp /= 2
	return pause
}

// fullJitter returns a random pause, so that many daemons do not retry at the same moment.
// Its ceiling doubles with each failure. The pause is at least half of shortest.
func fullJitter(failures int, shortest, longest time.Duration) time.Duration {
	return max(rand.N(ceiling(failures, shortest, longest)+1), shortest/2)
}

func ceiling(failures int, shortest, longest time.Duration) time.Duration {
	c := shortest
	for i := 1; i < failures && c < longest; i++ {
		c *= 2
	}
	return min(c, longest)
}
