// SPDX-License-Identifier: Apache-2.0

package damage

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// fixture is a log of damage in the directory /j.
type fixture struct {
	*Log
	fs    *memfs.FS
	text  bytes.Buffer // log output
	later []func() error
}

func newFixture() *fixture {
	f := &fixture{fs: memfs.New()}
	log := slog.New(slog.NewTextHandler(&f.text, nil))
	f.Log = New(f.fs, "/j", log, func(_ string, do func() error) { f.later = append(f.later, do) })
	return f
}

// segmentOf creates the segment of that number with n bytes.
func (f *fixture) segmentOf(first uint64, n int) (data []byte) {
	data = make([]byte, n)
	for i := range data {
		data[i] = byte(i % 251)
	}
	f.fs.Names["/j/"+segment.Name(first)] = &memfs.Node{Data: data}
	return data
}

// region reports damage in an open segment.
func (f *fixture) region(t *testing.T, first uint64, off, length int64) {
	t.Helper()
	file, err := f.fs.Open("/j/"+segment.Name(first), unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	f.Region(first, file, off, length)
}

// runLater runs the postponed functions.
func (f *fixture) runLater(t *testing.T) {
	t.Helper()
	for _, do := range f.later {
		if err := do(); err != nil {
			t.Error(err)
		}
	}
	f.later = nil
}

func (f *fixture) want(t *testing.T, want Counts, unreadable int) {
	t.Helper()
	got, n := f.Counts()
	if diff := cmp.Diff(want, got); diff != "" || n != unreadable {
		t.Errorf("%d segments are unreadable, want %d; counts (-want +got):\n%s", n, unreadable, diff)
	}
}

func copyName(first uint64, off int64) string {
	return fmt.Sprintf("/j/%s/%0*d-%d.bad", QuarantineName, segment.SeqDigits, first, off)
}

func TestRegionIsCountedAndCopiedOnce(t *testing.T) {
	f := newFixture()
	data := f.segmentOf(7, 3*segment.ChunkBytes)
	const off, length = 100, 2*segment.ChunkBytes + 1 // several reads
	for range 3 {
		f.region(t, 7, off, length)
	}
	f.want(t, Counts{Regions: 1, Bytes: length}, 0)
	piece := f.fs.Names[copyName(7, off)]
	if piece == nil || !bytes.Equal(piece.Data, data[off:off+length]) {
		t.Fatal("the copy differs")
	}
	if n := strings.Count(f.text.String(), "level=ERROR"); n != 1 {
		t.Errorf("%d errors logged:\n%s", n, &f.text)
	}
	f.region(t, 7, off+1, 10)
	f.segmentOf(8, 1000)
	f.region(t, 8, off, 10)
	f.want(t, Counts{Regions: 3, Bytes: length + 20}, 0)

	next := New(f.fs, "/j", slog.New(slog.DiscardHandler), nil)
	next.MeasureQuarantine()
	if next.quarantine != length+20 {
		t.Errorf("the next process measures %d bytes", next.quarantine)
	}
	clear(data)
	file, _ := f.fs.Open("/j/"+segment.Name(7), unix.O_RDONLY)
	next.Region(7, file, off, length)
	if f.fs.Names[copyName(7, off)] != piece || piece.Data[0] != off {
		t.Error("the next process has replaced the copy")
	}
}

func TestCopyIsPostponedUntilFirstUse(t *testing.T) {
	f := newFixture()
	data := f.segmentOf(1, 1000)
	f.Region(1, nil, 100, 10)
	f.Torn(1, 900, 100)
	f.want(t, Counts{Regions: 1, Bytes: 10, Torn: 100}, 0)
	if len(f.fs.Ops) > 0 || len(f.later) != 2 {
		t.Fatalf("%d steps, %d postponed", len(f.fs.Ops), len(f.later))
	}
	f.runLater(t)
	for off, want := range map[int64][]byte{100: data[100:110], 900: data[900:]} {
		if piece := f.fs.Names[copyName(1, off)]; piece == nil || !bytes.Equal(piece.Data, want) {
			t.Errorf("the copy of the piece at %d differs", off)
		}
	}
}

func TestQuarantineIsUsedUpToItsLimit(t *testing.T) {
	f := newFixture()
	f.segmentOf(1, 1000)
	f.fs.Names["/j/"+QuarantineName+"/old.bad"] = &memfs.Node{Data: make([]byte, MaxQuarantineBytes-100)}
	f.MeasureQuarantine()
	f.region(t, 1, 0, 101)
	f.region(t, 1, 200, 100)
	f.region(t, 1, 400, 1)
	f.want(t, Counts{Regions: 3, Bytes: 202}, 0)
	for off, want := range map[int64]bool{0: false, 200: true, 400: false} {
		if got := f.fs.Names[copyName(1, off)] != nil; got != want {
			t.Errorf("the piece at %d is copied: %v", off, got)
		}
	}
	if n := strings.Count(f.text.String(), "the quarantine is full"); n != 2 {
		t.Errorf("%d warnings:\n%s", n, &f.text)
	}
}

// TestFailedCopyIsOnlyLogged: the damage is counted although its copy fails.
func TestFailedCopyIsOnlyLogged(t *testing.T) {
	for name, test := range map[string]struct {
		kind   memfs.Kind
		bytes  int // of the segment
		logged bool
	}{
		"no directory":          {memfs.Mkdir, 1000, true},
		"no file":               {memfs.Create, 1000, true},
		"a full disk":           {memfs.Write, 1000, true},
		"a bad sector":          {memfs.Read, 1000, true},
		"a segment cut shorter": {memfs.SyncDir, 150, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			f.segmentOf(1, test.bytes)
			f.fs.Fail = func(o memfs.Op) error {
				if o.Kind == test.kind {
					return unix.EIO
				}
				return nil
			}
			f.region(t, 1, 100, 100)
			f.want(t, Counts{Regions: 1, Bytes: 100}, 0)
			if logged := strings.Contains(f.text.String(), "is not copied"); logged != test.logged {
				t.Errorf("log:\n%s", &f.text)
			}
		})
	}
	f := newFixture()
	f.fs.Fail = func(o memfs.Op) error {
		if o.Kind == memfs.List {
			return unix.EACCES
		}
		return nil
	}
	f.segmentOf(1, 1000)
	f.MeasureQuarantine()
	if f.region(t, 1, 0, 1); f.fs.Names[copyName(1, 0)] != nil {
		t.Error("copied, although the size of the quarantine is not known")
	}
}

func TestMissingRecordsAreCountedOnce(t *testing.T) {
	f := newFixture()
	for range 2 {
		f.MissingRecords(10, 3)
		f.MissingRecords(20, 4)
	}
	f.Region(10, nil, 0, 1) // another position
	f.Add(func(c *Counts) { c.Cursors += 2 })
	f.want(t, Counts{Records: 7, Regions: 1, Bytes: 1, Cursors: 2}, 0)
}

func TestUnreadableSegmentIsLoggedWhenItChanges(t *testing.T) {
	f := newFixture()
	f.Readable(1)
	for range 3 {
		f.Unreadable(1, unix.EIO)
		f.Unreadable(2, unix.EACCES)
	}
	f.want(t, Counts{}, 2)
	for range 2 {
		f.Readable(1)
	}
	f.want(t, Counts{}, 1)
	if err := f.Forget(2); !errors.Is(err, unix.EACCES) {
		t.Errorf("forgot %v", err)
	}
	if err := f.Forget(2); err != nil {
		t.Errorf("forgot %v again", err)
	}
	f.want(t, Counts{}, 0)
	cannot, again := strings.Count(f.text.String(), "cannot be read"), strings.Count(f.text.String(), "can be read again")
	if cannot != 2 || again != 1 {
		t.Errorf("%d and %d lines:\n%s", cannot, again, &f.text)
	}
}

// TestNumberOfStoredPositionsIsLimited: above the limit damage may count twice, and
// memory does not grow.
func TestNumberOfStoredPositionsIsLimited(t *testing.T) {
	f := newFixture()
	f.log = slog.New(slog.DiscardHandler)
	for range 2 {
		for number := range uint64(maxSeen + 2) {
			f.MissingRecords(number, 1)
		}
	}
	f.want(t, Counts{Records: maxSeen + 4}, 0)
	if len(f.seen) != maxSeen {
		t.Errorf("%d positions are stored", len(f.seen))
	}
}
