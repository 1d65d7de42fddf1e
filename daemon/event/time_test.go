// SPDX-License-Identifier: Apache-2.0

package event

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestAppendTimeIsRFC3339WithNineDecimals(t *testing.T) {
	times := []time.Time{
		{},
		time.Unix(0, 0),
		time.Unix(0, -1),
		time.Unix(0, math.MaxInt64),
		time.Unix(0, math.MinInt64),
		time.Date(2026, 2, 28, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(2026, 2, 28, 23, 59, 59, 1, time.FixedZone("", 14*3600+1800)),
		time.Date(1999, 12, 31, 19, 0, 0, 120_000_000, time.FixedZone("", -12*3600)),
	}
	for range 1000 {
		times = append(times, time.Unix(0, int64(rand.Uint64())))
	}
	for _, at := range times {
		want := at.UTC().Format("2006-01-02T15:04:05.000000000Z07:00")
		if got := string(AppendTime([]byte("x"), at)); got != "x"+want {
			t.Errorf("%q, want %q after an x", got, want)
		}
		for _, other := range []time.Time{at, at.Add(time.Second), at.Truncate(time.Second), at.Local()} {
			if got := string(appendTimeNear([]byte("x"), at, other, AppendTime(nil, other))); got != "x"+want {
				t.Errorf("near %v: %q, want %q after an x", other, got, want)
			}
		}
	}
}
