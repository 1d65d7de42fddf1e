// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"testing"
	"time"
)

// Ages depend on Steady and not on the wall clock.
func TestClockStepsDoNotExpireSegments(t *testing.T) {
	wall, steady := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1000, 0)
	steadyTimes := map[int64]time.Time{} // steady times of wall times
	now := func() time.Time { steadyTimes[wall.UnixNano()] = steady; return wall }
	j, err := Open(t.TempDir(), Options{
		MaxAge: time.Hour, Now: now, SyncInterval: time.Hour,
		Steady: func(t time.Time) time.Time { return steadyTimes[t.UnixNano()] },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	r, err := j.NewReader("r", ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	put := func() {
		t.Helper()
		if err := j.Append(nil, now(), [][]byte{[]byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	put()
	for _, step := range []time.Duration{6 * 365 * 24 * time.Hour, -3 * 365 * 24 * time.Hour} {
		wall, steady = wall.Add(step), steady.Add(20*time.Minute)
		put()
		j.retention.removeOld()
		if n, err := r.Trim(0, j.steady(now()).Add(-time.Hour)); n != 0 || err != nil || len(j.index.segments) != 1 {
			t.Errorf("after a step by %v Trim dropped %d, %v; %d segments", step, n, err, len(j.index.segments))
		}
	}
	wall, steady = wall.Add(-time.Minute), steady.Add(50*time.Minute) // the first two are too old
	if n, err := r.Trim(0, j.steady(now()).Add(-time.Hour)); n != 2 || err != nil {
		t.Errorf("Trim dropped %d, %v, want 2", n, err)
	}
	put() // in a new segment
	wall, steady = wall.Add(-time.Minute), steady.Add(2*time.Hour)
	put()
	j.retention.removeOld()
	if first := j.Stats().First; first < 4 {
		t.Errorf("the oldest record is number %d, want at least 4", first)
	}
}
