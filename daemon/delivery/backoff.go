// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"math/rand/v2"
	"time"
)

// backoff returns how long to wait before the attempt after the given number of
// failures in a row: a random time up to a ceiling that doubles with each
// failure ("full jitter"), so that many daemons do not return at once to a
// server that has come back. The wait is never shorter than half of shortest.
func backoff(failures int, shortest, longest time.Duration) time.Duration {
	ceiling := shortest
	for i := 1; i < failures && ceiling < longest; i++ {
		ceiling *= 2
	}
	ceiling = min(ceiling, longest)
	return max(rand.N(ceiling+1), shortest/2) //nolint:gosec // jitter, not a secret
}
