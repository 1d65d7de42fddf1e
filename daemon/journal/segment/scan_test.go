// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// scanned is everything that a scan returns.
type scanned struct {
	Numbers []uint64   // of the first message of each frame
	Damaged [][2]int64 // offset and length
}

// segmentWith returns a scanner of a segment that consists of pieces, and the file system.
func segmentWith(t testing.TB, s *Scanner, pieces ...[]byte) *memfs.FS {
	t.Helper()
	fs := memfs.New()
	data := bytes.Join(pieces, nil)
	fs.Names["/s"] = &memfs.Node{Data: data}
	file, err := fs.Open("/s", unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	s.Mark = mark
	s.Reset(file, 0, int64(len(data)), 1, MaxSeq)
	return fs
}

func scanAll(t testing.TB, s *Scanner) (got scanned) {
	t.Helper()
	s.Damaged = func(off, length int64) { got.Damaged = append(got.Damaged, [2]int64{off, length}) }
	for {
		f, err := s.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got.Numbers = append(got.Numbers, f.First)
	}
}

func TestScan(t *testing.T) {
	a, b, c := testFrame(1, "a"), testFrame(2, "b", "bb"), testFrame(4, "c")
	length := func(frames ...[]byte) int64 { return int64(len(bytes.Join(frames, nil))) }
	damaged := bytes.Clone(b)
	damaged[len(damaged)-1] ^= 1
	foreign := bytes.Clone(b)
	foreign[0] ^= 1
	for name, test := range map[string]struct {
		pieces [][]byte
		want   scanned
	}{
		"nothing":           {nil, scanned{}},
		"frames in order":   {[][]byte{a, b, c}, scanned{Numbers: []uint64{1, 2, 4}}},
		"numbers with gaps": {[][]byte{a, c}, scanned{Numbers: []uint64{1, 4}}},
		"a damaged frame":   {[][]byte{a, damaged, c}, scanned{[]uint64{1, 4}, [][2]int64{{length(a), length(b)}}}},
		"another mark":      {[][]byte{a, foreign, c}, scanned{[]uint64{1, 4}, [][2]int64{{length(a), length(b)}}}},
		"a frame twice":     {[][]byte{a, b, b, c}, scanned{[]uint64{1, 2, 4}, [][2]int64{{length(a, b), length(b)}}}},
		"an older frame":    {[][]byte{b, a, c}, scanned{[]uint64{2, 4}, [][2]int64{{length(b), length(a)}}}},
		"a number too high": {[][]byte{a, testFrame(MaxSeq, "x")}, scanned{[]uint64{1}, [][2]int64{{length(a), length(a)}}}},
		"zeros at the end":  {[][]byte{a, make([]byte, 500)}, scanned{[]uint64{1}, [][2]int64{{length(a), 500}}}},
		"zeros before":      {[][]byte{make([]byte, 501), a}, scanned{[]uint64{1}, [][2]int64{{0, 501}}}},
		"two damages":       {[][]byte{damaged, a, damaged}, scanned{[]uint64{1}, [][2]int64{{0, length(b)}, {length(b, a), length(b)}}}},
		"damage longer than a read": {
			[][]byte{a, bytes.Repeat([]byte("damage!"), ChunkBytes/3), c},
			scanned{[]uint64{1, 4}, [][2]int64{{length(a), 7 * (ChunkBytes / 3)}}},
		},
		"a frame longer than a read": {
			[][]byte{a, testFrame(2, strings.Repeat("x", 3*ChunkBytes)), c}, scanned{Numbers: []uint64{1, 2, 4}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s Scanner
			segmentWith(t, &s, test.pieces...)
			if diff := cmp.Diff(test.want, scanAll(t, &s)); diff != "" {
				t.Errorf("scan (-want +got):\n%s", diff)
			}
		})
	}
}

// TestScanFindsMarkSplitBetweenReads: the mark after damage may be split between two reads.
func TestScanFindsMarkSplitBetweenReads(t *testing.T) {
	frame := testFrame(1, "a")
	for length := int64(ChunkBytes) - int64(len(frame)) - 1; length <= ChunkBytes+1; length++ {
		var s Scanner
		segmentWith(t, &s, make([]byte, length), frame)
		want := scanned{[]uint64{1}, [][2]int64{{0, length}}}
		if diff := cmp.Diff(want, scanAll(t, &s)); diff != "" {
			t.Errorf("after %d bytes (-want +got):\n%s", length, diff)
		}
	}
}

// TestScanOfTornSegment: for each length of the torn segment, the complete frames are read,
// and the remaining bytes are reported.
func TestScanOfTornSegment(t *testing.T) {
	a, b := testFrame(1, "a"), testFrame(2, "b", "bb")
	whole := slices.Concat(a, b)
	for end := range whole {
		var s Scanner
		segmentWith(t, &s, whole[:end])
		want := scanned{}
		rest := int64(end)
		if end >= len(a) {
			want.Numbers = []uint64{1}
			rest -= int64(len(a))
		}
		if rest > 0 {
			want.Damaged = [][2]int64{{int64(end) - rest, rest}}
		}
		if diff := cmp.Diff(want, scanAll(t, &s)); diff != "" {
			t.Errorf("torn at %d (-want +got):\n%s", end, diff)
		}
	}
}

func TestScanStopsAtLimit(t *testing.T) {
	a, b := testFrame(1, "a"), testFrame(2, "b")
	var s Scanner
	segmentWith(t, &s, a, b)
	s.Limit = int64(len(a))
	if diff := cmp.Diff(scanned{Numbers: []uint64{1}}, scanAll(t, &s)); diff != "" {
		t.Errorf("scan (-want +got):\n%s", diff)
	}
	s.Limit += int64(len(b))
	if diff := cmp.Diff(scanned{Numbers: []uint64{2}}, scanAll(t, &s)); diff != "" {
		t.Errorf("after the limit was raised (-want +got):\n%s", diff)
	}
}

func TestPeekDoesNotRead(t *testing.T) {
	a, b := testFrame(1, "a"), testFrame(2, "b")
	var s Scanner
	fs := segmentWith(t, &s, a, b)
	if s.Peek() {
		t.Error("a frame is buffered before the first read")
	}
	if f, err := s.Next(); err != nil || !bytes.Equal(s.FrameBytes(&f), a) {
		t.Fatalf("%+v, %v", f, err)
	}
	fs.Fail = func(memfs.Op) error { return errors.New("read again") }
	for range 2 {
		if !s.Peek() || !s.Peeked() {
			t.Fatal("the second frame is not buffered")
		}
	}
	if f, err := s.Next(); err != nil || !bytes.Equal(s.FrameBytes(&f), b) {
		t.Errorf("after Peek: %+v, %v", f, err)
	}
	if s.Peek() || s.Peeked() {
		t.Error("a third frame is buffered")
	}
}

// TestScanContinuesAfterReadError: each frame is returned once and no damage is
// reported, after a failure of any read.
func TestScanContinuesAfterReadError(t *testing.T) {
	remnant := append(make([]byte, 100), testFrame(1, "a")[:20]...) // the mark without its frame
	pieces := [][]byte{
		testFrame(1, "a"), remnant, make([]byte, 2*ChunkBytes), testFrame(2, "b"), testFrame(3, strings.Repeat("c", 2*ChunkBytes)),
	}
	var s Scanner
	segmentWith(t, &s, pieces...)
	want := scanAll(t, &s)
	for fault := range 10 {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			var s Scanner
			fs := segmentWith(t, &s, pieces...)
			reads := 0
			fs.Fail = func(memfs.Op) error {
				if reads++; reads == fault+1 {
					return unix.EIO
				}
				return nil
			}
			var got scanned
			s.Damaged = func(off, length int64) { got.Damaged = append(got.Damaged, [2]int64{off, length}) }
			failed := false
			for {
				f, err := s.Next()
				if errors.Is(err, unix.EIO) && !failed {
					failed = true
					continue
				}
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got.Numbers = append(got.Numbers, f.First)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("scan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLenientScanSkipsOnlyUnreadablePage(t *testing.T) {
	first, last := testFrame(1, "a"), testFrame(3, "c")
	middle := testFrame(2, strings.Repeat("b", 5*PageBytes))
	var s Scanner
	s.Lenient = true
	fs := segmentWith(t, &s, first, middle, last)
	const bad = 2 * PageBytes
	fs.Fail = func(o memfs.Op) error {
		if o.Kind == memfs.Read && o.Off <= bad && bad < o.Off+int64(len(o.Data)) {
			return unix.EIO
		}
		return nil
	}
	want := scanned{[]uint64{1, 3}, [][2]int64{{int64(len(first)), int64(len(middle))}}}
	if diff := cmp.Diff(want, scanAll(t, &s)); diff != "" {
		t.Errorf("scan (-want +got):\n%s", diff)
	}
	if !errors.Is(s.Unread(), unix.EIO) || s.UnreadAfter(bad) == nil || s.UnreadAfter(bad+PageBytes) != nil {
		t.Errorf("unread %v, after the page's beginning %v, after its end %v", s.Unread(), s.UnreadAfter(bad), s.UnreadAfter(bad+PageBytes))
	}
	s.Reset(s.file, 0, s.Limit, 1, MaxSeq)
	if s.Unread() != nil {
		t.Error("Reset keeps the error of another segment")
	}
}

// FuzzScan: for any content a scan ends, returns frames of the segment in order, and accounts
// for each byte once.
func FuzzScan(f *testing.F) {
	f.Add(slices.Concat(testFrame(1, "a"), testFrame(2, "b", "bb"), testFrame(4, "c")))
	f.Add(slices.Concat(testFrame(5, "a"), []byte("damage"), testFrame(2, "b"), testFrame(7, "c")[:60]))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Scanner
		segmentWith(t, &s, data)
		at, next := int64(0), uint64(1)
		s.Damaged = func(off, length int64) {
			if off != at || length <= 0 {
				t.Fatalf("damage of %d bytes at %d, want it at %d", length, off, at)
			}
			at += length
		}
		for {
			frame, err := s.Next()
			if err != nil {
				break
			}
			if frame.First < next {
				t.Fatalf("number %d after %d", frame.First, next)
			}
			next = frame.End()
			if !bytes.Equal(s.FrameBytes(&frame), data[at:at+frame.Length]) {
				t.Fatalf("the frame at %d is another", at)
			}
			at += frame.Length
		}
		if at != int64(len(data)) {
			t.Fatalf("%d of %d bytes are accounted for", at, len(data))
		}
	})
}
