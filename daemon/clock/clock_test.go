// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/statefile"
)

// A machine has clocks that a test sets, and files in memory.
type machine struct {
	t      testing.TB
	files  map[string][]byte
	now    time.Duration // true time
	booted time.Duration // true time at boot
	boot   int
	offset time.Duration // wall clock, since 1970, minus true time
	synced bool
	fail   func(call string) bool // file operation fails
	damage int                    // number of damage reports
	steps  []time.Duration        // that were reported
}

const path = "state/clock"

const year = 365 * 24 * time.Hour

var epoch2026 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newMachine returns a machine with a correct clock.
func newMachine(t testing.TB) *machine {
	return &machine{
		t: t, files: map[string][]byte{}, boot: 1, now: year, booted: year,
		offset: time.Duration(epoch2026.UnixNano()), fail: func(string) bool { return false },
	}
}

func (m *machine) wall() time.Time { return time.Unix(0, int64(m.now+m.offset)) }

func (m *machine) pass(d time.Duration) { m.now += d }

func (m *machine) step(d time.Duration) { m.offset += d }

// reboot ends the boot. The next one starts after d.
func (m *machine) reboot(d time.Duration) {
	m.now += d
	m.boot++
	m.booted = m.now
	m.synced = false
}

// start starts a process.
func (m *machine) start() *Clock {
	m.t.Helper()
	c, err := Open(Options{
		Files: m, Path: path, BootID: "boot-" + strconv.Itoa(m.boot),
		Read:     func() Reading { return Reading{Wall: m.wall(), Uptime: m.now - m.booted} },
		Synced:   func(time.Time) bool { return m.synced },
		OnDamage: func(error) { m.damage++ },
		OnStep:   func(by time.Duration) { m.steps = append(m.steps, by) },
	})
	if err != nil && !errors.Is(err, unix.EIO) {
		m.t.Fatal(err)
	}
	return c
}

func (m *machine) try(call string) error {
	if m.fail(call) {
		return &fs.PathError{Op: call, Path: path, Err: unix.EIO}
	}
	return nil
}

func (m *machine) Read(path string) ([]byte, error) {
	if err := m.try("read"); err != nil {
		return nil, err
	}
	content, ok := m.files[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return content, nil
}

func (m *machine) Replace(path string, content []byte) error {
	if err := m.try("replace"); err != nil {
		return err
	}
	m.files[path] = content
	return nil
}

func (m *machine) SetAside(path string) error {
	if err := m.try("set aside"); err != nil {
		return err
	}
	m.files[path+".damaged"] = m.files[path]
	delete(m.files, path)
	return nil
}

func (m *machine) Remove(path string) error {
	if err := m.try("remove"); err != nil {
		return err
	}
	delete(m.files, path)
	return nil
}

// wantAge checks an age with a tolerance of a tenth of a second.
func wantAge(t *testing.T, c *Clock, of time.Time, want time.Duration) {
	t.Helper()
	if got := c.Age(of); (got - want).Abs() > tolerance {
		t.Errorf("the age is %v, want %v", got, want)
	}
}

func maintain(t *testing.T, c *Clock) {
	t.Helper()
	if err := c.Maintain(); err != nil {
		t.Error(err)
	}
}

func TestAStepOfTheClockChangesNoAge(t *testing.T) {
	for name, step := range map[string]time.Duration{"forward": 6 * year, "back": -6 * year, "a little": time.Second} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			c := m.start()
			first := c.Now()
			m.pass(time.Minute)
			second := c.Now()
			m.step(step)
			third := c.Now()
			wantAge(t, c, first, time.Minute)
			wantAge(t, c, third, 0)
			m.pass(time.Hour)
			m.step(-step / 2)
			m.pass(time.Hour)
			wantAge(t, c, first, 2*time.Hour+time.Minute)
			wantAge(t, c, second, 2*time.Hour)
			wantAge(t, c, third, 2*time.Hour)
		})
	}
}

// Each step is reported once, with its size. A start, a slewed clock and a reboot are not steps.
func TestEachStepIsReported(t *testing.T) {
	m := newMachine(t)
	c := m.start()
	for _, by := range []time.Duration{6 * year, -7 * year, time.Second, -time.Second} {
		m.steps = nil
		m.step(by)
		for range 3 {
			c.Now()
			maintain(t, c)
			m.pass(time.Minute)
			m.step(50 * time.Millisecond / 10)
		}
		if len(m.steps) != 1 || (m.steps[0]-by).Abs() > tolerance {
			t.Errorf("a step by %v was reported as %v", by, m.steps)
		}
	}
	m.steps = nil
	m.reboot(time.Hour)
	m.step(year)
	maintain(t, m.start())
	if len(m.steps) > 0 {
		t.Errorf("a start was reported as steps by %v", m.steps)
	}
}

func TestAStepWhileNoProcessRunsChangesNoAge(t *testing.T) {
	for name, end := range map[string]func(c *Clock) error{"stopped": (*Clock).Close, "killed": func(*Clock) error { return nil }} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			c := m.start()
			first := c.Now()
			m.pass(time.Minute)
			if err := end(c); err != nil {
				t.Fatal(err)
			}
			m.pass(time.Hour)
			m.step(6 * year)
			c = m.start()
			wantAge(t, c, first, time.Hour+time.Minute)
			second := c.Now()
			m.step(-7 * year)
			m.pass(time.Minute)
			c = m.start()
			wantAge(t, c, first, time.Hour+2*time.Minute)
			wantAge(t, c, second, time.Minute)
		})
	}
}

// Without a battery for its real-time clock, a machine boots in 2020 until NTP corrects it.
func TestARebootWithAWrongClockDoesNotRaiseAges(t *testing.T) {
	m := newMachine(t)
	m.synced = true
	c := m.start()
	maintain(t, c)
	before := c.Now()
	m.pass(time.Minute)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	m.reboot(time.Hour)
	m.step(-6 * year)
	c = m.start()
	wantAge(t, c, before, time.Minute)
	early := c.Now()
	m.pass(time.Minute)
	m.step(6 * year)
	wantAge(t, c, before, 2*time.Minute)
	wantAge(t, c, early, time.Minute)
	m.synced = true
	maintain(t, c)
	wantAge(t, c, before, 2*time.Minute) // one check is not sufficient
	m.pass(time.Minute)
	maintain(t, c)
	wantAge(t, c, before, time.Hour+3*time.Minute)
	wantAge(t, c, early, 2*time.Minute)
	m.pass(time.Minute)
	c = m.start()
	wantAge(t, c, before, time.Hour+4*time.Minute)
	wantAge(t, c, early, 3*time.Minute)
}

func TestTimeWithoutPowerDoesNotCountAfterAnUnsynchronisedBoot(t *testing.T) {
	m := newMachine(t)
	m.step(-6 * year)
	c := m.start()
	before := c.Now()
	m.pass(time.Minute)
	maintain(t, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	m.reboot(time.Hour)
	m.step(6 * year)
	m.synced = true
	c = m.start()
	for range 3 {
		maintain(t, c)
		wantAge(t, c, before, time.Minute)
	}
}

func TestTimesBeforeTheFileAgeFromItsCreation(t *testing.T) {
	m := newMachine(t)
	before := m.wall()
	m.pass(100 * time.Hour)
	c := m.start()
	wantAge(t, c, before, 0)
	m.pass(time.Hour)
	c = m.start()
	wantAge(t, c, before, time.Hour)
	wantAge(t, c, m.wall().Add(time.Hour), time.Hour) // the clock was ahead before
}

func TestAnUnreadableFileIsNotOverwrittenAndIsUsedLater(t *testing.T) {
	m := newMachine(t)
	c := m.start()
	first := c.Now()
	m.pass(time.Hour)
	m.step(-6 * year)
	second := c.Now()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	m.fail = func(call string) bool { return call == "read" }
	m.pass(time.Hour)
	c = m.start()
	wantAge(t, c, first, 0) // unknown, so not old
	m.step(time.Hour)
	third := c.Now()
	m.pass(time.Hour)
	if err := c.Maintain(); !errors.Is(err, unix.EIO) {
		t.Errorf("Maintain: %v", err)
	}
	m.fail = func(string) bool { return false }
	for range 2 { // the second process reads it from the file
		maintain(t, c)
		wantAge(t, c, first, 3*time.Hour)
		wantAge(t, c, second, 2*time.Hour)
		wantAge(t, c, third, time.Hour)
		c = m.start()
	}
}

func TestADamagedFileIsSetAsideAndAgesStartAgain(t *testing.T) {
	m := newMachine(t)
	c := m.start()
	first := c.Now()
	m.pass(time.Hour)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	m.files[path] = []byte("{}")
	c = m.start()
	wantAge(t, c, first, 0)
	if text := m.files[path+".damaged"]; string(text) != "{}" || m.damage != 1 {
		t.Errorf("renamed %q, reported %d times", text, m.damage)
	}
}

// Otherwise the next process would assign times of the new epoch to an old one.
func TestAStepBackThatCannotBeWrittenRemovesTheFile(t *testing.T) {
	m := newMachine(t)
	c := m.start()
	m.pass(year)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	m.step(-6 * year)
	m.fail = func(call string) bool { return call == "replace" }
	fresh := c.Now()
	m.pass(time.Second)
	c = m.start()
	if age := c.Age(fresh); age > time.Second {
		t.Errorf("the age is %v", age)
	}
}

func TestNowAllocatesNothing(t *testing.T) {
	c, err := Open(Options{Files: statefile.Disk{}, Path: filepath.Join(t.TempDir(), "clock"), BootID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	var before time.Time
	if n := testing.AllocsPerRun(1000, func() { before = c.Now() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(1000, func() { c.Age(before) }); n != 0 {
		t.Errorf("Age: %v allocations", n)
	}
	if age := c.Age(before); age > time.Minute {
		t.Errorf("the age is %v", age)
	}
}
