// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"testing"
	"time"
)

func TestAppendAllocatesNothing(t *testing.T) {
	j := open(t, t.TempDir(), Options{SyncInterval: time.Hour})
	batch := make([][]byte, 64)
	for i := range batch {
		batch[i] = make([]byte, 64)
	}
	appendOne := func() {
		if err := j.Append(1, epoch, batch); err != nil {
			t.Fatal(err)
		}
	}
	appendOne()
	if n := testing.AllocsPerRun(1000, appendOne); n != 0 {
		t.Errorf("%v allocations per Append", n)
	}
}

// TestOpenReadsNoBacklog: what Open reads does not depend on the number of
// segments.
func TestOpenReadsNoBacklog(t *testing.T) {
	cost := func(segments int) int64 {
		fs := newMemFS()
		opts := still(fs)
		opts.SegmentBytes = 100_000
		j := open(t, "/j", opts)
		reader(t, j, "a", FromOldest)
		for range segments {
			for range 10 {
				put(t, j, 1, string(make([]byte, 9_900)))
			}
		}
		if got := len(fs.segments()); got != segments {
			t.Fatalf("%d segments, want %d", got, segments)
		}
		tend(t, j)
		abandon(j)
		fs.read = 0
		open(t, "/j", opts)
		return fs.read
	}
	few, many := cost(2), cost(300)
	if many > few+1000 || many > 110_000 {
		t.Errorf("opening reads %d bytes with 2 segments and %d with 300", few, many)
	}
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
				if err := j.Append(1, epoch, batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*64/b.Elapsed().Seconds(), "records/s")
		})
	}
}
