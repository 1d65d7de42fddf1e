// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// TestReadersFollowWriter: two readers of different speed receive all records that a writer
// appends concurrently, while the maintainer runs.
func TestReadersFollowWriter(t *testing.T) {
	const batches, perBatch = 2000, 5
	j := open(t, t.TempDir(), Options{SegmentBytes: 20_000, SyncInterval: time.Millisecond})
	var wg sync.WaitGroup
	for i, size := range []int{1, 64} {
		r := reader(t, j, fmt.Sprint("r", i), FromOldest)
		wg.Go(func() {
			if n := follow(t, r, size); n != batches*perBatch {
				t.Errorf("reader %d: %d records, want %d", i, n, batches*perBatch)
			}
		})
	}
	batch := make([][]byte, perBatch)
	for i := range batches {
		for k := range batch {
			batch[k] = binary.LittleEndian.AppendUint64(nil, uint64(i*perBatch+k))
		}
		if err := j.Append(nil, epoch, batch); err != nil {
			t.Fatal(err)
		}
	}
	j.Seal()
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// follow reads and commits until the journal ends.
func follow(t *testing.T, r *Reader, size int) (n int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	records := make([]Record, size)
	for {
		got, skipped, err := r.Read(ctx, records)
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil || skipped > 0 {
			t.Errorf("read: %d skipped, %v", skipped, err)
			return n
		}
		for _, rec := range records[:got] {
			if v := binary.LittleEndian.Uint64(rec.Data); v != uint64(n) || rec.Seq != uint64(n+1) {
				t.Errorf("record %d contains %d, want %d", rec.Seq, v, n)
				return n
			}
			n++
		}
		if err := r.Commit(records[got-1]); err != nil {
			t.Error(err)
		}
	}
}

// TestSyncedReachesNewest: Synced equals Newest in an idle journal, even if an unclean stop
// left unused numbers after it.
func TestSyncedReachesNewest(t *testing.T) {
	fs := memfs.New()
	for round, stop := range []func(*Journal){abandon, func(j *Journal) { j.Close() }, abandon} {
		j := open(t, "/j", manualOptions(fs))
		if round > 0 {
			firstUse(t, j)
		}
		if j.Stats().Synced != j.Stats().Newest || j.Stats().Count != uint64(round) {
			t.Errorf("round %d: synced %d, newest %d of %d", round, j.Stats().Synced, j.Stats().Newest, j.Stats().Count)
		}
		synced := j.Stats().Synced
		put(t, j, "x")
		if j.Stats().Synced != synced || j.Stats().Newest != j.Stats().Last {
			t.Errorf("round %d: synced %d, newest %d, last %d after appending", round, j.Stats().Synced, j.Stats().Newest, j.Stats().Last)
		}
		if round == 0 {
			maintain(t, j)
		}
		stop(j)
	}
}

func TestReadReturnsWhenContextEnds(t *testing.T) {
	j := open(t, "/j", manualOptions(memfs.New()))
	r := reader(t, j, "r", FromEnd)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := r.Read(ctx, make([]Record, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestInterruptEndsWaitingRead(t *testing.T) {
	j := open(t, "/j", manualOptions(memfs.New()))
	r := reader(t, j, "r", FromOldest)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	records := make([]Record, 3)
	read := func(want int) {
		t.Helper()
		if n, skipped, err := r.Read(ctx, records); n != want || skipped != 0 || err != nil {
			t.Fatalf("%d records, %d skipped, %v; want %d", n, skipped, err, want)
		}
	}
	go r.Interrupt()
	read(0)
	r.Interrupt() // ends the next Read that waits
	put(t, j, "one")
	read(1)
	r.Interrupt() // ends the same Read
	read(0)
	put(t, j, "two")
	read(1)
}

func TestTryReadDoesNotWait(t *testing.T) {
	j := open(t, "/j", manualOptions(memfs.New()))
	r := reader(t, j, "r", FromOldest)
	records := make([]Record, 3)
	for _, want := range []int{0, 1, 0} {
		if n, skipped, err := r.TryRead(records); n != want || skipped != 0 || err != nil {
			t.Errorf("%d records, %d skipped, %v; want %d", n, skipped, err, want)
		}
		if want == 0 {
			put(t, j, "one")
		}
	}
}

// TestDamagedCursorRepeatsRecords: the reader starts at the oldest
// record. Only a new reader may start at the end.
func TestDamagedCursorRepeatsRecords(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	r := reader(t, j, "r", FromEnd)
	put(t, j, "one")
	put(t, j, "two")
	one, _ := next(t, r)
	if err := r.Commit(one); err != nil {
		t.Fatal(err)
	}
	abandon(j)
	clear(fs.Names["/j/cursor-r"].Data)
	j = open(t, "/j", manualOptions(fs))
	got, skipped := drain(t, reader(t, j, "r", FromEnd))
	if len(got) != 2 || skipped != 0 || j.Stats().Damage.Cursors != 1 {
		t.Errorf("got %v, %d skipped, damage %+v", got, skipped, j.Stats().Damage)
	}
}

func TestReaderFromEndReceivesOnlyNewRecords(t *testing.T) {
	j := open(t, "/j", manualOptions(memfs.New()))
	put(t, j, "old")
	r := reader(t, j, "r", FromEnd)
	put(t, j, "new")
	if got, skipped := readOne(t, r); got.text != "new" || skipped != 0 {
		t.Errorf("got %v, %d skipped", got, skipped)
	}
}

func TestReaderNames(t *testing.T) {
	j := open(t, "/j", manualOptions(memfs.New()))
	for _, name := range []string{"", "a/b", "ä", "a.tmp", "a b", string(make([]byte, 200))} {
		if _, err := j.NewReader(name, ReaderOptions{Start: FromEnd}); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
	reader(t, j, "r", FromEnd)
	if _, err := j.NewReader("r", ReaderOptions{Start: FromEnd}); err == nil {
		t.Error("a second reader of the same name was accepted")
	}
}

// TestCommitSurvivesKill: no committed record is delivered again after a kill,
// even without an fsync.
func TestCommitSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	opts := Options{SyncInterval: time.Hour}
	j := open(t, dir, opts)
	r := reader(t, j, "r", FromOldest)
	put(t, j, "one", "two", "three")
	readOne(t, r)
	two, _ := next(t, r)
	if err := r.Commit(two); err != nil {
		t.Fatal(err)
	}
	abandon(j)
	r = reader(t, open(t, dir, opts), "r", FromOldest)
	if got, skipped := readOne(t, r); got.text != "three" || skipped != 0 {
		t.Errorf("got %v, %d skipped", got, skipped)
	}
}

// TestUnreadablePageIsDamage: a bad sector is reported and read again. Then only the frames
// on it count as lost.
func TestUnreadablePageIsDamage(t *testing.T) {
	fs := memfs.New()
	opts := manualOptions(fs)
	opts.SegmentBytes = 1 << 20
	j := open(t, "/j", opts)
	r := reader(t, j, "r", FromOldest)
	page := string(make([]byte, segment.PageBytes))
	for range 10 {
		put(t, j, page)
	}
	const bad = 3*segment.PageBytes + 100
	name := segmentsIn(fs)[0]
	fs.Fail = func(o memfs.Op) error {
		if o.Kind == memfs.Read && o.Name == name && o.Off <= bad && bad < o.Off+int64(len(o.Data)) {
			return unix.EIO
		}
		return nil
	}
	records := make([]Record, 20)
	for i := range readRetries {
		if n, _, err := r.TryRead(records); !errors.Is(err, unix.EIO) || n > 0 {
			t.Fatalf("attempt %d: %d records, %v", i, n, err)
		}
	}
	got, skipped := drain(t, r)
	if len(got)+int(skipped) != 10 || skipped == 0 || skipped > 2 {
		t.Errorf("%d records read, %d skipped", len(got), skipped)
	}
	if d := j.Stats().Damage; d.Records != skipped {
		t.Errorf("damage counted as %+v", d)
	}
}

// TestCommitAfterClose: a sink that did not return in time may commit after the journal is
// closed, when its descriptor numbers belong to other files.
func TestCommitAfterClose(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	r := reader(t, j, "r", FromOldest)
	put(t, j, "one")
	one, _ := next(t, r)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Commit(one); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := j.Append(nil, epoch, batchOf("two")); !errors.Is(err, ErrSealed) {
		t.Errorf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
