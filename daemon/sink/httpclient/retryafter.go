// SPDX-License-Identifier: Apache-2.0

package httpclient

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter bounds the delay that the other side can request: a typing error there
// must not stop deliveries for a year.
const MaxRetryAfter = time.Hour

// RetryAfter parses the header Retry-After, as seconds or as a date. A date is relative to
// the response's own Date, if present: the two clocks may differ. An invalid or negative
// value, or one in the past, is 0.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	seconds, err := strconv.ParseUint(text, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(MaxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter)
}
