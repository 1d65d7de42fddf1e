// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"slices"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// TestTailEndsWithSegmentOfFoundRecord: Tail reads older segments only while it finds nothing.
func TestTailEndsWithSegmentOfFoundRecord(t *testing.T) {
	dir := t.TempDir()
	opts := manualOptions(vfs.Disk{})
	j := open(t, dir, opts)
	tail := func(find string) (texts []string) {
		t.Helper()
		err := j.Tail(func(data []byte) bool {
			texts = append(texts, string(data[:min(3, len(data))]))
			return string(data) == find
		})
		if err != nil {
			t.Fatal(err)
		}
		return texts
	}
	if got := tail("a"); got != nil {
		t.Errorf("an empty journal has %q", got)
	}
	put(t, j, "old", strings.Repeat("x", int(opts.SegmentBytes)))
	put(t, j, "a", "")
	put(t, j, "b")
	for _, find := range []string{"a", "b"} {
		if got := tail(find); !slices.Equal(got, []string{"a", "", "b"}) {
			t.Errorf("visited %q to find %q", got, find)
		}
	}
	for _, find := range []string{"old", "no record"} {
		if got := tail(find); !slices.Equal(got, []string{"a", "", "b", "old", "xxx"}) {
			t.Errorf("visited %q to find %q", got, find)
		}
	}
	abandon(j) // the next start creates an empty segment
	j = open(t, dir, opts)
	if got := tail("a"); !slices.Equal(got, []string{"a", "", "b"}) {
		t.Errorf("after a crash visited %q", got)
	}
}

// TestTailReportsThatItHasNotReadAll: the cost is limited, and the caller must not conclude
// that such a record does not exist.
func TestTailReportsThatItHasNotReadAll(t *testing.T) {
	opts := manualOptions(memfs.New())
	opts.SegmentBytes = tailBytes / 3
	j := open(t, "/j", opts)
	mib := string(make([]byte, 1<<20))
	for range 3 * opts.SegmentBytes >> 20 {
		put(t, j, mib)
	}
	if err := j.Tail(func([]byte) bool { return false }); err != nil {
		t.Errorf("journal of %d bytes: %v", j.Stats().Bytes, err)
	}
	for range opts.SegmentBytes >> 19 {
		put(t, j, mib)
	}
	visited := 0
	err := j.Tail(func([]byte) bool { visited++; return false })
	if err == nil || visited<<20 > tailBytes {
		t.Errorf("journal of %d bytes: %v, %d MiB read", j.Stats().Bytes, err, visited)
	}
}

// TestVisitReadsSelectedRecords: Visit starts at the given number, continues at the returned one, and
// skips damage and removed segments.
func TestVisitReadsSelectedRecords(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	for i := range 40 {
		put(t, j, text(i*2+1), text(i*2+2))
	}
	visit := func(from, step uint64, n int) (numbers []uint64) {
		t.Helper()
		err := j.Visit(from, func(r Record) uint64 {
			if string(r.Data) != text(int(r.Seq)) {
				t.Errorf("record %d is %q", r.Seq, r.Data)
			}
			if numbers = append(numbers, r.Seq); len(numbers) == n {
				return 0
			}
			return r.Seq + step
		})
		if err != nil {
			t.Fatal(err)
		}
		return numbers
	}
	if got := visit(0, 1, 100); len(got) != 0 {
		t.Errorf("from number 0: %d, want no record", got)
	}
	if got := visit(1, 1, 100); len(got) != 80 || got[0] != 1 || got[79] != 80 {
		t.Errorf("from number 1: %d", got)
	}
	if got := visit(3, 11, 3); !slices.Equal(got, []uint64{3, 14, 25}) {
		t.Errorf("three records with a step of 11: %d", got)
	}
	segments := segmentsIn(fs)
	if got := visit(70, 100, 100); !slices.Equal(got, []uint64{70}) {
		t.Errorf("from number 70: %d", got)
	}
	fs.Names[segments[1]].Data[framesIn(fs, segments[1])[0]+60] ^= 1
	delete(fs.Names, segments[3])
	got := visit(1, 1, 100)
	if len(got) >= 78 || len(got) < 60 || got[len(got)-1] != 80 {
		t.Errorf("with a damaged and a removed segment: %d", got)
	}
}
