// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/genltestd/genltestd/daemon/clock"
	"github.com/genltestd/genltestd/daemon/statefile"
)

// TestSetLimitsAppliesImmediately checks that SetLimits removes and counts letters before it
// returns, and that they stay removed.
func TestSetLimitsAppliesImmediately(t *testing.T) {
	const total = 4000
	for name, c := range map[string]struct {
		maxBytes int64
		maxAge   time.Duration
	}{
		"size":     {maxBytes: 100_000},
		"age":      {maxBytes: 1 << 20, maxAge: time.Hour},
		"no limit": {},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "box")
			o := Options{MaxBytes: 1 << 20, Now: func() time.Time { return epoch.Add(time.Hour + 1000*time.Second + time.Nanosecond) }}
			b := open(t, dir, o)
			b.SetLimits(1<<20, 0) // while the box is empty
			add(t, b, letters(1, total)...)
			b.SetLimits(c.maxBytes, c.maxAge)
			s := b.Stats()
			if s.Live+s.Expired != total || c.maxBytes > 0 && s.Bytes > uint64(c.maxBytes) {
				t.Errorf("%+v", s)
			}
			if name == "age" && s.Expired != 1000 || name == "size" && s.Expired == 0 || name == "no limit" && s.Expired != 0 {
				t.Errorf("%d have expired", s.Expired)
			}
			want := letters(s.Expired+1, total)
			wantLetters(t, b, want)
			closeBox(t, b)
			o.MaxBytes, o.MaxAge = c.maxBytes, c.maxAge
			b = open(t, dir, o)
			wantLetters(t, b, want)
			closeBox(t, b)
		})
	}
}

// TestRemovedLimitNoLongerApplies checks that an earlier limit does not apply.
func TestRemovedLimitNoLongerApplies(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "box"), Options{MaxBytes: 100_000})
	add(t, b, letters(1, 100)...)
	b.SetLimits(0, 0)
	for seq := uint64(101); seq <= 4000; seq += 100 {
		add(t, b, letters(seq, seq+99)...)
	}
	wantLetters(t, b, letters(1, 4000))
	closeBox(t, b)
}

// TestIdleBoxAppliesNewMaxAge checks that letters expire without other calls.
func TestIdleBoxAppliesNewMaxAge(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	synctest.Test(t, func(t *testing.T) {
		b := open(t, dir, Options{MaxBytes: 1 << 20})
		l := letter(1, "event 1")
		l.Refused = time.Now()
		add(t, b, l)
		time.Sleep(time.Hour)
		b.SetLimits(1<<20, 2*time.Hour)
		if s := b.Stats(); s.Live != 1 {
			t.Errorf("removed too early: %+v", s)
		}
		time.Sleep(time.Hour + 2*time.Minute)
		synctest.Wait()
		if s := b.Stats(); s.Live != 0 || s.Expired != 1 {
			t.Errorf("%+v", s)
		}
		closeBox(t, b)
	})
}

// TestSetLimitsConcurrently checks that the counts are consistent during changes.
func TestSetLimitsConcurrently(t *testing.T) {
	const total = 4000
	b := open(t, filepath.Join(t.TempDir(), "box"), Options{MaxBytes: 1 << 20})
	done := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		for i := int64(0); ; i++ {
			select {
			case <-done:
				return
			default:
				b.SetLimits(100_000+i%3*100_000, time.Duration(i%2)*1000*time.Hour)
			}
		}
	})
	others.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if _, err := b.Get(b.IDs()...); err != nil {
				t.Error(err)
			}
			if s := b.Stats(); s.Live+s.Expired > total || s.Damaged > 0 {
				t.Errorf("%+v", s)
				return
			}
		}
	})
	for seq := uint64(1); seq <= total; seq += 10 {
		fresh := letters(seq, seq+9)
		for i := range fresh {
			fresh[i].Refused = time.Now()
		}
		add(t, b, fresh...)
	}
	close(done)
	others.Wait()
	if s := b.Stats(); s.Live+s.Expired != total || s.Expired == 0 {
		t.Errorf("%+v", s)
	}
	closeBox(t, b)
}

// The wall clock steps from 2020 to the present, as with NTP at boot.
func TestClockStepExpiresNoLetter(t *testing.T) {
	wall, uptime := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Minute
	c, err := clock.Open(clock.Options{
		Files: statefile.Disk{}, Path: filepath.Join(t.TempDir(), "clock"), BootID: "a",
		Read: func() clock.Reading { return clock.Reading{Wall: wall, Uptime: uptime} },
	})
	if err != nil {
		t.Fatal(err)
	}
	const age = time.Hour
	b := open(t, t.TempDir(), Options{MaxAge: age, Now: c.Now, Steady: c.Steady})
	young := letter(1, "x")
	young.Refused = c.Now()
	add(t, b, young)
	for _, step := range []time.Duration{6 * 365 * 24 * time.Hour, -3 * 365 * 24 * time.Hour} {
		wall, uptime = wall.Add(step), uptime+age/3
		b.SetLimits(0, age)
		if s := b.Stats(); s.Live != 1 || s.Expired != 0 {
			t.Errorf("after a step by %v: %+v", step, s)
		}
	}
	uptime += age // and the wall clock does not advance
	b.SetLimits(0, age)
	if s := b.Stats(); s.Live != 0 || s.Expired != 1 {
		t.Errorf("after its age: %+v", s)
	}
	closeBox(t, b)
}
