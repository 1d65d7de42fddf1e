// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"math/rand/v2"
	"time"
)

const (
	// maxRetryAfter bounds what the other side may ask for: a server that says a year
	// by mistake is not to be waited for that long.
	maxRetryAfter = time.Hour
	// rampShare of the longest pause is the first one after a recovery.
	rampShare = 32
)

// A pace says how long to wait between attempts: longer with each failure, and
// after a recovery less with each success, so that a server that has just come back
// is not met by everybody at once.
type pace struct {
	shortest, longest time.Duration
	failures          int // in a row, without progress
	ramp              time.Duration
}

// failed returns the pause after an attempt that failed. asked is what the other
// side wants it to be at least.
func (p *pace) failed(progress bool, asked time.Duration) time.Duration {
	if progress {
		p.failures = 0
	}
	p.failures++
	return max(backoff(p.failures, p.shortest, p.longest), min(asked, maxRetryAfter))
}

// succeeded returns the pause after an attempt that succeeded, mostly 0.
func (p *pace) succeeded() time.Duration {
	if p.failures > 1 {
		p.ramp = min(ceiling(p.failures, p.shortest, p.longest), p.longest/rampShare)
	}
	p.failures = 0
	if p.ramp < time.Millisecond {
		return 0
	}
	pause := rand.N(p.ramp)
	p.ramp /= 2
	return pause
}

// backoff returns a random time up to a ceiling that doubles with each failure
// ("full jitter"), so that many daemons do not return at once to a server that has
// come back. It is never less than half of shortest.
func backoff(failures int, shortest, longest time.Duration) time.Duration {
	return max(rand.N(ceiling(failures, shortest, longest)+1), shortest/2)
}

func ceiling(failures int, shortest, longest time.Duration) time.Duration {
	c := shortest
	for i := 1; i < failures && c < longest; i++ {
		c *= 2
	}
	return min(c, longest)
}
