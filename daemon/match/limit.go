// SPDX-License-Identifier: Apache-2.0

package match

import (
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// A RateLimit lets Events pass per time Per, and Burst at once after a pause. A Burst
// of 0 means Events. An Events of 0 disables the limit.
type RateLimit struct {
	Events int
	Per    time.Duration
	Burst  int
}

// A bucket contains one token for each event that may pass immediately.
type bucket struct {
	size, tokens float64
	perSecond    float64
	last         time.Time // when it was filled
}

// newBucket returns a full bucket, or nil if the limit is disabled.
func newBucket(l RateLimit) *bucket {
	if l.Events <= 0 || l.Per <= 0 {
		return nil
	}
	size := float64(l.Burst)
	if l.Burst <= 0 {
		size = float64(l.Events)
	}
	return &bucket{size: size, tokens: size, perSecond: float64(l.Events) / l.Per.Seconds()}
}

// take removes a token and reports whether one was available at that time. After the
// clock is set back, the bucket fills from the new time on.
func (b *bucket) take(now time.Time) bool {
	if passed := now.Sub(b.last).Seconds(); passed > 0 {
		b.tokens = min(b.size, b.tokens+passed*b.perSecond)
	}
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// sampled selects one of n events by a hash of its id. The choice is the same at each
// delivery of an event, also after a crash, and for each sink with the same n. A
// counter would follow a pattern in the events, such as alternating texts.
func sampled(e *event.Event, n uint64) bool {
	h := uint64(14695981039346656037) // FNV-1a of the journal's id
	for i := range len(e.JournalID) {
		h = (h ^ uint64(e.JournalID[i])) * 1099511628211
	}
	h += e.Seq * 0x9e3779b97f4a7c15 // and SplitMix64 of the number
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return (h^h>>31)%n == 0
}
