// SPDX-License-Identifier: Apache-2.0

package cursor

import (
	"errors"
	"math/rand"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

const (
	path = "/j/cursor-r"
	id   = 7
)

func at(next uint64) segment.Position { return segment.Position{Next: next, Index: next - 1} }

// started returns a new cursor before the first message.
func started(fs vfs.FS) *Cursor {
	c := New(fs, path, "r", id)
	c.Reset(at(1))
	return c
}

func move(t testing.TB, c *Cursor, next uint64) {
	t.Helper()
	if err := c.Move(at(next)); err != nil {
		t.Fatal(err)
	}
}

func flush(t testing.TB, c *Cursor, durable bool) {
	t.Helper()
	if err := c.Flush(durable); err != nil {
		t.Fatal(err)
	}
}

// read returns the position that the next process finds.
func read(t testing.TB, fs vfs.FS) segment.Position {
	t.Helper()
	s := ReadSaved(fs, path)
	p, ours := Parse(s.Value, id)
	if !s.OK || s.Err != nil || !ours {
		t.Fatalf("the file has no position: %v", s.Err)
	}
	return p
}

func wantAt(t testing.TB, c *Cursor, now, durably uint64) {
	t.Helper()
	if c.Passed(false) != now || c.Passed(true) != durably {
		t.Errorf("passed %d, durably %d, want %d and %d", c.Passed(false), c.Passed(true), now, durably)
	}
}

func TestMoveWritesAndFlushSyncs(t *testing.T) {
	fs := memfs.New()
	c := started(fs)
	wantAt(t, c, 1, 1)
	if len(fs.Names) > 0 || !c.Pending(false) {
		t.Error("a new cursor is written before it moves, or is not pending")
	}
	move(t, c, 5)
	wantAt(t, c, 5, 5)
	move(t, c, 6)
	wantAt(t, c, 6, 5)
	if got := read(t, fs); got != at(6) || c.Pending(false) || !c.Pending(true) {
		t.Errorf("the file has %+v", got)
	}
	flush(t, c, true)
	wantAt(t, c, 6, 6)
	if c.Pending(true) {
		t.Error("pending after a flush")
	}
	steps := len(fs.Ops)
	move(t, c, 6)
	move(t, c, 3)
	flush(t, c, true)
	if wantAt(t, c, 6, 6); len(fs.Ops) != steps {
		t.Error("written although the position has not changed")
	}
}

func TestSkipIsWrittenByTheNextFlush(t *testing.T) {
	fs := memfs.New()
	c := started(fs)
	move(t, c, 2)
	c.Skip(at(9))
	if got := read(t, fs); got != at(2) || c.Position() != at(9) || !c.Pending(false) {
		t.Errorf("the file has %+v, the position is %+v", got, c.Position())
	}
	flush(t, c, false)
	if got := read(t, fs); got != at(9) {
		t.Errorf("the file has %+v", got)
	}
}

// TestPowerCutLosesNoDurablePosition stops the machine after each step, with each combination
// of the writes that were not synced: the file has a position between the durable one and the
// last.
func TestPowerCutLosesNoDurablePosition(t *testing.T) {
	fs := memfs.New()
	c := started(fs)
	move(t, c, 1)
	flush(t, c, true)
	created := len(fs.Ops)
	durable, newest := map[int]uint64{created: 1}, map[int]uint64{created: 1} // by number of completed steps
	for next := uint64(2); next < 12; next++ {
		move(t, c, next)
		newest[len(fs.Ops)] = next
		if next%3 == 0 {
			flush(t, c, true)
		}
		durable[len(fs.Ops)] = c.Passed(true)
	}
	random := rand.New(rand.NewSource(1))
	low, high := uint64(0), uint64(1)
	for n := created; n <= len(fs.Ops); n++ {
		low, high = max(low, durable[n]), max(high, newest[n])
		for _, cut := range memfs.PowerCuts(fs.Ops, n, 64, random) {
			if got := read(t, cut); got.Next < low || got.Next > high || got != at(got.Next) {
				t.Fatalf("after step %d the disk has %+v, want %d to %d", n, got, low, high)
			}
		}
		if got := read(t, memfs.Killed(fs.Ops, n, "no torn write", random)); got != at(high) {
			t.Fatalf("after step %d a killed process has left %+v, want %d", n, got, high)
		}
	}
	if low != 9 || high != 11 {
		t.Errorf("the steps end with %d durable of %d", low, high)
	}
}

// TestCrashBetweenTwoSlots: one of the slots is torn, and the other has the position.
func TestCrashBetweenTwoSlots(t *testing.T) {
	fs := memfs.New()
	c := started(fs)
	for next := uint64(1); next < 5; next++ {
		move(t, c, next)
		flush(t, c, true)
	}
	found := map[uint64]bool{}
	for i := range 2 { // the third is written only during an fsync
		cut := fs.Clone()
		data := cut.Names[path].Data
		data[i*slot.Gap+slot.Len/2] ^= 1
		next := New(cut, path, "r", id)
		saved := ReadSaved(cut, path)
		next.Take(&saved)
		if !next.Usable() {
			t.Fatalf("slot %d is torn: %+v", i, saved)
		}
		found[next.Passed(false)] = true
		move(t, next, 10)
		flush(t, next, true)
		if got := read(t, cut); got != at(10) {
			t.Errorf("slot %d is torn: moved to 10, the file has %+v", i, got)
		}
	}
	if len(found) != 2 || !found[3] || !found[4] {
		t.Errorf("the positions after a torn slot are %v, want 3 and 4", found)
	}
}

func TestTakeUnusableFile(t *testing.T) {
	value := stored(at(5), id)
	for name, test := range map[string]struct {
		saved  Saved
		broken bool
	}{
		"damaged":            {Saved{}, true},
		"of another journal": {Saved{Value: stored(at(5), id+1), OK: true}, true},
		"damaged, readable":  {Saved{Value: value}, true},
		"unreadable":         {Saved{Err: unix.EIO}, false},
	} {
		t.Run(name, func(t *testing.T) {
			fs := memfs.New()
			fs.Names[path] = &memfs.Node{Data: []byte("damaged")}
			c := New(fs, path, "r", id)
			c.Take(&test.saved)
			if c.Usable() || c.Broken() != test.broken || (c.Unread() != nil) == test.broken || c.Pending(true) {
				t.Errorf("usable %v, broken %v, unread %v", c.Usable(), c.Broken(), c.Unread())
			}
			wantAt(t, c, 0, 0)
			if c.Beyond(1, 1, false) {
				t.Error("a cursor without a position has passed a message")
			}
			if test.saved.Err != nil { // the file can be read later
				c.Take(&Saved{Value: value, OK: true})
				wantAt(t, c, 5, 0)
			}
			c.Discard()
			if c.Usable() {
				t.Error("usable after Discard")
			}
			c.Reset(at(3))
			move(t, c, 3)
			flush(t, c, true)
			if got := read(t, fs); got != at(3) || !c.Usable() {
				t.Errorf("after Reset the file has %+v", got)
			}
		})
	}
}

func TestTakenPositionIsDurableAfterOpen(t *testing.T) {
	fs := memfs.New()
	c := started(fs)
	move(t, c, 5)
	c.Release()
	next := New(fs, path, "r", id)
	saved := ReadSaved(fs, path)
	next.Take(&saved)
	wantAt(t, next, 5, 0)
	move(t, next, 6)
	wantAt(t, next, 6, 5)
	flush(t, next, true)
	wantAt(t, next, 6, 6)
}

func TestFailedWriteIsRepeated(t *testing.T) {
	for _, kind := range []memfs.Kind{memfs.Create, memfs.Write, memfs.Sync, memfs.Rename} {
		t.Run(kind.String(), func(t *testing.T) {
			fs := memfs.New()
			c := started(fs)
			failures := 0
			fs.Fail = func(o memfs.Op) error {
				if o.Kind != kind {
					return nil
				}
				failures++
				return unix.ENOSPC
			}
			if err := c.Move(at(5)); !errors.Is(err, unix.ENOSPC) || failures == 0 {
				t.Errorf("a new file: %v", err)
			}
			wantAt(t, c, 5, 5)
			fs.Fail = nil
			move(t, c, 5)
			if got := read(t, fs); got != at(5) {
				t.Errorf("the file has %+v", got)
			}
		})
	}
	fs := memfs.New()
	c := started(fs)
	move(t, c, 2)
	flush(t, c, true)
	fs.Fail = func(o memfs.Op) error {
		if o.Kind == memfs.Sync {
			return unix.EIO
		}
		return nil
	}
	move(t, c, 3)
	if err := c.Flush(true); !errors.Is(err, unix.EIO) {
		t.Errorf("flush: %v", err)
	}
	wantAt(t, c, 3, 2)
	fs.Fail = nil
	flush(t, c, true)
	wantAt(t, c, 3, 3)
	if got := read(t, memfs.PowerCut(fs.Ops, len(fs.Ops), func() bool { return false })); got != at(3) {
		t.Errorf("after a failed fsync the disk has %+v: the page was not written again", got)
	}
}

func TestBeyond(t *testing.T) {
	for name, test := range map[string]struct {
		at       segment.Position
		end, all uint64
		want     bool
	}{
		"before the end":          {at(5), 6, 10, false},
		"at the end":              {at(6), 6, 10, true},
		"all, then a gap":         {segment.Position{Next: 5, Index: 10}, 100, 10, true},
		"nothing of an empty log": {segment.Position{}, 1, 0, false},
	} {
		c := New(memfs.New(), path, "r", id)
		c.Reset(test.at)
		if got := c.Beyond(test.end, test.all, false); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestReleasePreventsWrites(t *testing.T) {
	fs := memfs.New()
	c := started(fs)
	move(t, c, 2)
	c.Release()
	steps := len(fs.Ops)
	if err := c.Move(at(3)); !errors.Is(err, ErrClosed) || len(fs.Ops) != steps {
		t.Errorf("%v, %d steps", err, len(fs.Ops)-steps)
	}
}

func TestUnlinkedFileIsReplaced(t *testing.T) {
	fs := memfs.New()
	has := func(path string, id vfs.FileID) (bool, error) {
		info, err := fs.Stat(path)
		return err == nil && info.ID == id, nil
	}
	c := started(fs)
	if !c.Lost(has) {
		t.Error("a cursor without a file has not lost it")
	}
	move(t, c, 2)
	if c.Lost(has) || c.Lost(func(string, vfs.FileID) (bool, error) { return false, unix.EIO }) {
		t.Error("lost, although the file has its name or that is not known")
	}
	delete(fs.Names, path)
	if !c.Lost(has) || !c.Pending(false) {
		t.Error("not lost, or not pending")
	}
	flush(t, c, true)
	if got := read(t, fs); got != at(2) || c.Lost(has) {
		t.Errorf("the new file has %+v", got)
	}
	for range 2 {
		if err := c.RemoveFile(); err != nil || fs.Names[path] != nil {
			t.Errorf("remove: %v", err)
		}
	}
}
