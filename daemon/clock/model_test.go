// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestAgesNeverExceedTheTrueAge simulates machines with boots, steps, stops, kills, correct or
// missing NTP, and a file that cannot be written. It checks the age of every time that Now
// returned.
func TestAgesNeverExceedTheTrueAge(t *testing.T) {
	machines := uint64(300)
	if testing.Short() {
		machines = 60
	}
	for seed := range machines {
		random := rand.New(rand.NewPCG(seed, 22))
		m := newMachine(t)
		faults := seed%3 == 0
		if faults {
			m.fail = func(call string) bool { return call == "replace" && random.IntN(4) == 0 }
		}
		type stamp struct {
			at   time.Time
			true time.Duration
		}
		var stamps []stamp
		right := m.offset
		c := m.start()
		for range 200 {
			switch random.IntN(12) {
			case 0:
				m.step(time.Duration(random.Int64N(int64(12*year))) - 6*year)
				m.synced = false
			case 1:
				m.step(time.Duration(random.Int64N(int64(10*time.Second))) - 5*time.Second)
				m.synced = false
			case 2: // corrected by NTP
				m.offset, m.synced = right, true
			case 3:
				c = m.start() // after a kill
			case 4:
				c.Close()
				m.pass(time.Duration(random.Int64N(int64(time.Hour))))
				c = m.start()
			case 5:
				m.reboot(time.Duration(random.Int64N(int64(100 * time.Hour))))
				if random.IntN(2) == 0 {
					m.offset = right - 6*year
				}
				c = m.start()
			case 6, 7:
				_ = c.Maintain() // fails when a fault is injected
			default:
				m.pass(time.Duration(random.Int64N(int64(time.Hour))))
				stamps = append(stamps, stamp{c.Now(), m.now})
			}
			for _, s := range stamps {
				if age, most := c.Age(s.at), m.now-s.true; age > most+2*tolerance {
					t.Fatalf("seed %d: %v is %v old, the measured age is %v", seed, s.at, most, age)
				}
			}
		}
	}
}

// TestWithinABootAgesAreExact checks the reverse: ages are not too low.
func TestWithinABootAgesAreExact(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 23))
		m := newMachine(t)
		c := m.start()
		at, began := c.Now(), m.now
		for range 100 {
			m.pass(time.Duration(random.Int64N(int64(time.Hour))))
			switch random.IntN(4) {
			case 0:
				// Only forward: otherwise two moments have the same wall clock time.
				m.step(time.Duration(random.Int64N(int64(time.Hour))))
			case 1:
				c = m.start()
			}
			if age := c.Age(at); (age - (m.now - began)).Abs() > 2*tolerance {
				t.Fatalf("seed %d: the age is %v, want %v", seed, age, m.now-began)
			}
		}
	}
}

func TestManyStepsAreBoundedAndKeepAges(t *testing.T) {
	m := newMachine(t)
	c := m.start()
	first := c.Now()
	for i := range 10 * maxEpochs {
		m.pass(time.Minute)
		m.step(time.Duration(i%3-1) * 300 * time.Millisecond)
		c.Now()
	}
	if n := len(c.state.Epochs); n > maxEpochs {
		t.Errorf("%d epochs", n)
	}
	if age, most := c.Age(first), 10*maxEpochs*time.Minute; age > most || age < most-time.Minute {
		t.Errorf("the age is %v, want about %v", age, most)
	}
}

func FuzzParse(f *testing.F) {
	m := newMachine(f)
	c := m.start()
	m.step(time.Hour)
	c.Now()
	f.Add(c.state.encode())
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := parse(content)
		if err != nil {
			return
		}
		again, err := parse(s.encode())
		if err != nil || len(again.Epochs) != len(s.Epochs) {
			t.Errorf("%q changes when it is written and read: %v", content, err)
		}
		for _, wall := range []time.Duration{0, time.Duration(epoch2026.UnixNano())} {
			if got := at(s.Epochs, wall, s.At); got < s.Epochs[0].From {
				t.Errorf("%v is at %v, before the timeline", wall, got)
			}
		}
	})
}
