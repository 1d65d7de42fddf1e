// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// manualOptions returns options with which the maintainer runs only when a test calls it.
func manualOptions(fs vfs.FS) Options {
	return Options{FS: fs, SegmentBytes: 1000, SyncInterval: time.Hour, CommitInterval: 1}
}

func open(t testing.TB, dir string, opts Options) *Journal {
	t.Helper()
	j, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// firstUse runs the repairs that a journal postpones to its first use, and the maintainer once.
func firstUse(t testing.TB, j *Journal) {
	t.Helper()
	j.use()
	if err := j.syncer.maintain(); err != nil {
		t.Fatal(err)
	}
}

// abandon releases the resources of the journal without a clean shutdown, as a kill does.
func abandon(j *Journal) {
	if j.cond.close() {
		return
	}
	j.maintainer.stop()
	for _, r := range j.readers.list {
		r.leave()
	}
	j.release()
}

func reader(t testing.TB, j *Journal, name string, start Start) *Reader {
	t.Helper()
	r, err := j.NewReader(name, ReaderOptions{Start: start})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var epoch = time.Unix(1_700_000_000, 5)

// put appends texts as one batch.
func put(t testing.TB, j *Journal, texts ...string) {
	t.Helper()
	if err := j.Append(nil, epoch, batchOf(texts...)); err != nil {
		t.Fatal(err)
	}
}

func batchOf(texts ...string) [][]byte {
	batch := make([][]byte, len(texts))
	for i, s := range texts {
		batch[i] = []byte(s)
	}
	return batch
}

// text returns the content of the nth record of a test.
func text(n int) string { return fmt.Sprintf("record %d, %0*d", n, n*7%60+1, n) }

// A textRecord is the number and the content of a record that a test has read.
type textRecord struct {
	seq  uint64
	text string
}

// drain reads all records that exist.
func drain(t testing.TB, r *Reader) (all []textRecord, skipped uint64) {
	t.Helper()
	all, skipped, _ = drainTo(t, r)
	return all, skipped
}

// drainTo is drain, and also returns the last record for Commit.
func drainTo(t testing.TB, r *Reader) (all []textRecord, skipped uint64, last Record) {
	t.Helper()
	records := make([]Record, 7)
	for {
		n, s, err := r.TryRead(records)
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		skipped += s
		if n == 0 && s == 0 {
			return all, skipped, last
		}
		if n == 0 { // all remaining records are missing
			last = records[0]
			continue
		}
		last = records[n-1]
		for _, rec := range records[:n] {
			if !rec.Time.Equal(epoch) {
				t.Fatalf("record %d: time %v, want %v", rec.Seq, rec.Time, epoch)
			}
			all = append(all, textRecord{rec.Seq, string(rec.Data)})
		}
	}
}

// readOne waits for one record.
func readOne(t testing.TB, r *Reader) (textRecord, uint64) {
	t.Helper()
	rec, skipped := next(t, r)
	return textRecord{rec.Seq, string(rec.Data)}, skipped
}

func next(t testing.TB, r *Reader) (rec Record, skipped uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	records := make([]Record, 1)
	_, skipped, err := r.Read(ctx, records)
	if err != nil {
		t.Fatal(err)
	}
	return records[0], skipped
}

var soaking = os.Getenv("GENLTESTD_SOAK") != ""

// last returns the last element of names.
func last(names []string) string { return names[len(names)-1] }

// tailBatches returns the number of batches in the last segment.
func tailBatches(m *memfs.FS, segments []string) int { return len(framesIn(m, last(segments))) - 1 }

// gapsIn returns how many numbers are missing between records.
func gapsIn(got []textRecord) (gaps uint64) {
	for i := 1; i < len(got); i++ {
		gaps += got[i].seq - got[i-1].seq - 1
	}
	return gaps
}
