// SPDX-License-Identifier: Apache-2.0

package cursor

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// setOf returns a set with a cursor at each of the positions, by name.
func setOf(fs *memfs.FS, positions map[string]uint64) *Set {
	s := NewSet()
	for name, next := range positions {
		c := New(fs, "/j/"+Prefix+name, name, id)
		c.Reset(at(next))
		s.Add(c)
	}
	return s
}

func TestSetPassedRequiresAllCursors(t *testing.T) {
	if NewSet().Passed(0, false) {
		t.Error("a set without cursors has passed something")
	}
	s := setOf(memfs.New(), map[string]uint64{"a": 5, "b": 9})
	for end, want := range map[uint64]bool{4: true, 5: true, 6: false, 9: false} {
		if got := s.Passed(end, false); got != want {
			t.Errorf("passed %d: %v", end, got)
		}
	}
	s.Get("a").Discard()
	if s.Passed(1, false) {
		t.Error("passed, although the position of a cursor is not known")
	}
}

func TestCursorHasOneReader(t *testing.T) {
	s := setOf(memfs.New(), map[string]uint64{"a": 1, "b": 1})
	a := s.Get("a")
	if !s.Open(a, true) || s.Open(a, false) {
		t.Error("a cursor has no reader, or two")
	}
	if pinned := s.Pinned(); len(pinned) != 1 || pinned[0] != a {
		t.Errorf("pinned: %v", pinned)
	}
	if s.Remove("a") != nil || s.Remove("c") != nil {
		t.Error("removed a cursor that has a reader, or that does not exist")
	}
	s.Pin(a, false)
	s.Pin(s.Get("b"), true)
	if pinned := s.Pinned(); len(pinned) != 1 || pinned[0] != s.Get("b") {
		t.Errorf("pinned: %v", pinned)
	}
	s.Leave(a)
	if !s.Open(a, false) {
		t.Error("a cursor that its reader has left cannot be opened")
	}
	s.Leave(a)
	if s.Remove("a") != a || s.Get("a") != nil || len(s.All()) != 1 {
		t.Error("the cursor is not removed")
	}
}

// TestSetFlushReportsEachFailure: a cursor that cannot be written does not prevent the others.
func TestSetFlushReportsEachFailure(t *testing.T) {
	fs := memfs.New()
	s := setOf(fs, map[string]uint64{"a": 1, "b": 2, "c": 3})
	fs.Fail = func(o memfs.Op) error {
		if o.Kind == memfs.Create && !strings.Contains(o.Name, Prefix+"c") {
			return unix.EIO
		}
		return nil
	}
	err := s.Flush(true)
	if !errors.Is(err, unix.EIO) || !strings.Contains(err.Error(), "/j/cursor-a") || !strings.Contains(err.Error(), "/j/cursor-b") ||
		strings.Contains(err.Error(), "cursor-c") {
		t.Errorf("flush: %v", err)
	}
	if !s.Pending(false) || s.Get("c").Pending(true) {
		t.Error("nothing is pending, or the cursor that could be written is")
	}
	fs.Fail = nil
	if err := s.Flush(true); err != nil || s.Pending(true) || len(fs.Names) != 3 {
		t.Errorf("the next flush: %v, %d files", err, len(fs.Names))
	}
	s.Release()
	for _, c := range s.All() {
		if err := c.Move(at(100)); !errors.Is(err, ErrClosed) {
			t.Errorf("moved after Release: %v", err)
		}
	}
}
