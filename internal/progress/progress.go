// SPDX-License-Identifier: Apache-2.0

// Package progress measures for how long a goroutine has been doing one thing.
package progress

import (
	"cmp"
	"sync/atomic"
	"time"
)

// A Beat is the time at which a goroutine last began a step. A loop that never waits longer than
// its interval calls Mark in each round; a loop that may wait calls Mark before and Stop after
// each piece of work. The zero value is a goroutine that waits. It is safe for concurrent use.
type Beat struct{ at atomic.Int64 }

// origin makes readings of the monotonic clock, which does not count suspended time. They are negative
// for the clock of a test.
var origin = time.Now()

// Mark notes that a step begins.
func (b *Beat) Mark() { b.at.Store(cmp.Or(int64(time.Since(origin)), 1)) }

// Stop notes that the goroutine waits or has ended.
func (b *Beat) Stop() { b.at.Store(0) }

// Age returns how long ago the present step began, 0 while the goroutine waits.
func (b *Beat) Age() time.Duration {
	at := b.at.Load()
	if at == 0 {
		return 0
	}
	return time.Since(origin) - time.Duration(at)
}
