// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

func TestAppendDoesNotAllocate(t *testing.T) {
	j := open(t, t.TempDir(), Options{SyncInterval: time.Hour})
	batch := make([][]byte, 64)
	for i := range batch {
		batch[i] = make([]byte, 64)
	}
	appendOne := func() {
		if err := j.Append(nil, epoch, batch); err != nil {
			t.Fatal(err)
		}
	}
	appendOne()
	if n := testing.AllocsPerRun(1000, appendOne); n != 0 {
		t.Errorf("%v allocations per Append", n)
	}
}

// TestOpenDoesNotReadBacklog: Open reads only the header of a segment that is not the last.
func TestOpenDoesNotReadBacklog(t *testing.T) {
	cost := func(segments int) int64 {
		fs := memfs.New()
		opts := manualOptions(fs)
		opts.SegmentBytes = 100_000
		j := open(t, "/j", opts)
		reader(t, j, "a", FromOldest)
		for range segments {
			for range 10 {
				put(t, j, string(make([]byte, 9_900)))
			}
		}
		if got := len(segmentsIn(fs)); got != segments {
			t.Fatalf("%d segments, want %d", got, segments)
		}
		maintain(t, j)
		abandon(j)
		fs.BytesRead = 0
		open(t, "/j", opts)
		return fs.BytesRead
	}
	few, many := cost(2), cost(300)
	if headers := int64(298 * segment.HeaderLen); many > few+1000+headers || many > 110_000+headers {
		t.Errorf("opening reads %d bytes with 2 segments and %d with 300", few, many)
	}
}

// A countingDisk counts the bytes that are read.
type countingDisk struct {
	vfs.Disk
	read atomic.Int64
}

type countingFile struct {
	vfs.File
	m *countingDisk
}

func (m *countingDisk) Open(path string, flags int) (vfs.File, error) {
	f, err := m.Disk.Open(path, flags)
	return countingFile{f, m}, err
}

func (f countingFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	f.m.read.Add(int64(n))
	return n, err
}

// writeBacklog writes a journal of n records that no reader has committed, as a killed
// process leaves it.
func writeBacklog(t *testing.T, dir string, n int, opts Options) {
	t.Helper()
	j := open(t, dir, opts)
	reader(t, j, "a", FromOldest)
	batch := make([][]byte, 64)
	for i := range batch {
		batch[i] = make([]byte, 100)
	}
	for g := uint64(1); n > 0; g++ {
		if err := j.Append(nil, epoch, batch[:min(n, len(batch))]); err != nil {
			t.Fatal(err)
		}
		n -= len(batch)
	}
	if err := j.Sync(); err != nil {
		t.Fatal(err)
	}
	abandon(j)
}

// A startCost is the cost of a start until the first records are delivered.
type startCost struct {
	read      int64
	allocated uint64 // bytes
	segments  int
}

func costOfStart(t *testing.T, dir string, records int, opts Options) (c startCost) {
	t.Helper()
	m := &countingDisk{}
	opts.FS = m
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	j := open(t, dir, opts)
	r := reader(t, j, "a", FromOldest)
	batch := make([]Record, 256)
	n, skipped, err := r.TryRead(batch)
	runtime.ReadMemStats(&after)
	if err != nil || n == 0 || skipped > 0 || batch[0].Seq != 1 || r.Backlog() != uint64(records) {
		t.Fatalf("%d records from %d, %d skipped, backlog %d, %v", n, batch[0].Seq, skipped, r.Backlog(), err)
	}
	return startCost{read: m.read.Load(), allocated: after.TotalAlloc - before.TotalAlloc, segments: len(j.index.segments)}
}

// TestStartCostIsIndependentOfBacklog compares 10,000 records with 1,000,000. Only
// the list of the segments may grow.
func TestStartCostIsIndependentOfBacklog(t *testing.T) {
	opts := Options{SegmentBytes: 1 << 20, SyncInterval: time.Hour}
	var costs []startCost
	for _, n := range []int{10_000, 1_000_000} {
		dir := t.TempDir()
		writeBacklog(t, dir, n, opts)
		costs = append(costs, costOfStart(t, dir, n, opts))
	}
	few, many := costs[0], costs[1]
	t.Logf("10,000 records: %+v; 1,000,000 records: %+v", few, many)
	for _, c := range costs {
		// The buffers of recovery and of the reader; and for each segment its name and
		// file information, listed twice, and its entry.
		if most := uint64(2*segment.ChunkBytes + 64<<10 + c.segments*2048); c.allocated > most {
			t.Errorf("%d bytes allocated, want at most %d", c.allocated, most)
		}
	}
	// The last segment, and a buffer of the first.
	if most := opts.SegmentBytes + 2*segment.ChunkBytes; many.read > most || few.read > most {
		t.Errorf("%d and %d bytes read, want at most %d", few.read, many.read, most)
	}
}

// TestStartWithTenMillionRecords prints the cost of a start at full size.
func TestStartWithTenMillionRecords(t *testing.T) {
	if !soaking {
		t.Skip("takes a minute and 1 GB of disk; TestStartCostIsIndependentOfBacklog is its short form")
	}
	const most = 16 << 20 // more resident memory than with a small backlog
	var peaks []int64
	for _, n := range []int{10_000, 10_000_000} {
		dir := t.TempDir()
		writeBacklog(t, dir, n, Options{})
		debug.FreeOSMemory()
		write(t, "/proc/self/clear_refs", []byte("5")) // reset the peak
		began := time.Now()
		c := costOfStart(t, dir, n, Options{})
		took, peak := time.Since(began), peakRSS(t)
		t.Logf("%d records in %d segments: %v until the first are read, %d bytes read, %d allocated, peak RSS %d KiB",
			n, c.segments, took.Round(time.Millisecond), c.read, c.allocated, peak>>10)
		peaks = append(peaks, peak)
	}
	if peaks[1] > peaks[0]+most {
		t.Errorf("peak RSS %d with a small backlog, %d with a large one", peaks[0], peaks[1])
	}
}

func peakRSS(t *testing.T) (bytes int64) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(text, "%d kB", &bytes); err != nil {
		t.Fatal(err)
	}
	return bytes << 10
}

func BenchmarkAppend(b *testing.B) {
	for name, policy := range map[string]Fsync{"interval": FsyncInterval, "always": FsyncAlways, "never": FsyncNever} {
		b.Run(name, func(b *testing.B) {
			j := open(b, b.TempDir(), Options{Fsync: policy, MaxBytes: 256 << 20})
			batch := make([][]byte, 64)
			for i := range batch {
				batch[i] = make([]byte, 64)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := j.Append(nil, epoch, batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*64/b.Elapsed().Seconds(), "records/s")
		})
	}
}
