// SPDX-License-Identifier: Apache-2.0

package httpclient

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	date := func(after time.Duration) string { return now.Add(after).Format(http.TimeFormat) }
	tests := []struct {
		text, date string
		want       time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"7", "", 7 * time.Second},
		{" 7 ", "", 7 * time.Second},
		{"3600", "", time.Hour},
		{"3601", "", time.Hour},
		{"99999999999999999999999", "", time.Hour},
		{"-7", "", 0},
		{"+7", "", 0},
		{"1.5", "", 0},
		{"0x10", "", 0},
		{"soon", "", 0},
		{"\x1b[2J", "", 0},
		{date(9 * time.Second), "", 9 * time.Second},
		{date(-9 * time.Second), "", 0},
		{date(48 * time.Hour), "", time.Hour},
		{date(9 * time.Second), date(5 * time.Second), 4 * time.Second},
		{date(1000 * time.Hour), date(1000*time.Hour - time.Minute), time.Minute}, // a clock that is wrong
		{date(9 * time.Second), "yesterday", 9 * time.Second},
		{"Friday, 02-Jan-26 03:04:15 GMT", "", 10 * time.Second}, // RFC 850
	}
	for _, tt := range tests {
		h := http.Header{"Retry-After": {tt.text}, "Date": {tt.date}}
		if got := RetryAfter(h, now); got != tt.want {
			t.Errorf("%q with the date %q: got %v, want %v", tt.text, tt.date, got, tt.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("7", "")
	f.Add("Fri, 02 Jan 2026 03:04:15 GMT", "Fri, 02 Jan 2026 03:04:05 GMT")
	f.Fuzz(func(t *testing.T, text, date string) {
		got := RetryAfter(http.Header{"Retry-After": {text}, "Date": {date}}, time.Unix(1767323045, 0))
		if got < 0 || got > MaxRetryAfter {
			t.Errorf("%q, %q: %v", text, date, got)
		}
	})
}
