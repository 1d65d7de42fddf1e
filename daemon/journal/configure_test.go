// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// TestConfigureAppliesSmallerLimits: a reader that has not read the removed records gets their exact count.
func TestConfigureAppliesSmallerLimits(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"size": func(o *Options) { o.MaxBytes = 2000 },
		"age":  func(o *Options) { o.MaxAge = time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			opts := manualOptions(memfs.New())
			opts.Now = func() time.Time { return epoch.Add(48 * time.Hour) }
			j := open(t, "/j", opts)
			r := reader(t, j, "r", FromOldest)
			fill(t, j, 30)
			change(&opts)
			j.Configure(opts)
			if got := j.Stats().Limit; got != opts.MaxBytes {
				t.Errorf("the limit is %d bytes, want %d", got, opts.MaxBytes)
			}
			if j.Stats().Bytes > 2000 {
				t.Errorf("%d bytes are left", j.Stats().Bytes)
			}
			got, skipped := drain(t, r)
			if skipped == 0 || skipped+uint64(len(got)) != 30 {
				t.Errorf("skipped %d, got %d; want 30 in all", skipped, len(got))
			}
		})
	}
}

// TestMaxBytesBelowSegmentSize: a large segment is removed as soon as it is not the
// newest.
func TestMaxBytesBelowSegmentSize(t *testing.T) {
	opts := manualOptions(memfs.New())
	opts.SegmentBytes = 100_000
	j := open(t, "/j", opts)
	fill(t, j, 100)
	opts.MaxBytes = 4000
	j.Configure(opts)
	if j.Stats().First != 1 {
		t.Fatal("the newest segment is removed, which contains the last generation")
	}
	for range 50 {
		fill(t, j, 1)
		if got := j.Stats().Bytes; got > opts.MaxBytes {
			t.Fatalf("%d bytes, the limit is %d", got, opts.MaxBytes)
		}
	}
}

// TestSmallerLimitDoesNotRemovePinnedRecords: Append fails until the reader
// commits, or the limit increases.
func TestSmallerLimitDoesNotRemovePinnedRecords(t *testing.T) {
	opts := manualOptions(memfs.New())
	j := open(t, "/j", opts)
	reader(t, j, "free", FromOldest)
	r := pinnedReader(t, j, "r")
	fill(t, j, 30)
	opts.MaxBytes, opts.MaxAge, opts.Now = 2000, time.Hour, nil
	j.Configure(opts)
	maintain(t, j)
	if j.Stats().First != 1 {
		t.Fatalf("records up to %d are removed", j.Stats().First)
	}
	if err := fillUntilFull(t, j); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	opts.MaxBytes = 100_000
	j.Configure(opts)
	fill(t, j, 1)
	opts.MaxBytes, opts.MaxAge = 2000, 0
	j.Configure(opts)
	commitAll(t, r)
	maintain(t, j)
	if j.Stats().Bytes > opts.MaxBytes {
		t.Errorf("%d bytes are left after the reader has committed all records", j.Stats().Bytes)
	}
}

// TestEnablingFsyncSyncsOldRecords: Synced includes records that were appended
// with FsyncNever only after they are synced under the new policy.
func TestEnablingFsyncSyncsOldRecords(t *testing.T) {
	for _, policy := range []Fsync{FsyncInterval, FsyncAlways} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("policy %d restarted %v", policy, restarted), func(t *testing.T) {
				fs := memfs.New()
				opts := manualOptions(fs)
				opts.Fsync = FsyncNever
				j := open(t, "/j", opts)
				fill(t, j, 30)
				maintain(t, j)
				if restarted {
					abandon(j)
					j = open(t, "/j", opts)
				}
				opts.Fsync = policy
				j.Configure(opts)
				j.use()
				fs.Fail = failing(memfs.Sync, unix.EIO)
				if err := j.syncer.maintain(); !errors.Is(err, unix.EIO) || j.Stats().Synced > 0 {
					t.Fatalf("synced up to %d, %v", j.Stats().Synced, err)
				}
				if err := j.Append(nil, epoch, batchOf("refused")); !errors.Is(err, unix.EIO) {
					t.Fatalf("got %v", err)
				}
				fs.Fail = nil
				if policy == FsyncAlways {
					put(t, j, "the next one")
				} else {
					maintain(t, j)
				}
				if j.Stats().Synced != j.Stats().Newest {
					t.Errorf("synced %d of %d", j.Stats().Synced, j.Stats().Newest)
				}
				want := int(j.Stats().Count)
				abandon(j)
				j = open(t, "/j", manualOptions(memfs.PowerCut(fs.Ops, len(fs.Ops), loseUnsynced)))
				if got, skipped := drain(t, reader(t, j, "r", FromOldest)); len(got) != want || skipped != 0 {
					t.Errorf("after a power cut: %d of %d, %d skipped", len(got), want, skipped)
				}
			})
		}
	}
}

// TestMaintainerAppliesNewOptions: the maintainer replaces a long wait by the new interval,
// even if the options change often. An idle journal applies a new maximum age.
func TestMaintainerAppliesNewOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := manualOptions(memfs.New())
		opts.Now = time.Now
		j := open(t, "/j", opts)
		for range 10 {
			if err := j.Append(nil, time.Now(), batchOf(string(make([]byte, 500)))); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if j.Stats().Synced == j.Stats().Newest {
			t.Fatal("synced before the interval is over")
		}
		opts.SyncInterval = 61 * time.Second
		for range 20 {
			j.Configure(opts)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if j.Stats().Synced != j.Stats().Newest {
			t.Errorf("synced %d of %d after the new interval", j.Stats().Synced, j.Stats().Newest)
		}
		opts.MaxAge = time.Hour
		j.Configure(opts)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if j.Stats().First != 10 {
			t.Errorf("the oldest record is number %d, after twice the greatest age", j.Stats().First)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestConfigureConcurrently: while a writer, the maintainer and readers run, each reader
// receives or skips each record.
func TestConfigureConcurrently(t *testing.T) {
	const batches, perBatch = 3000, 5
	opts := Options{SegmentBytes: 20_000, SyncInterval: time.Millisecond, CommitInterval: time.Millisecond}
	j := open(t, t.TempDir(), opts)
	readers := []*Reader{reader(t, j, "r0", FromOldest), reader(t, j, "r1", FromOldest)}
	done := make(chan struct{})
	var reading, changing sync.WaitGroup
	for i, r := range readers {
		reading.Go(func() {
			if n := account(t, r); n != batches*perBatch {
				t.Errorf("reader %d: %d records, want %d", i, n, batches*perBatch)
			}
		})
	}
	changing.Go(func() { reconfigure(j, readers[0], opts, done) })
	batch := batchOf("one", "two", "three", "four", "five")
	for range batches {
		err := j.Append(nil, epoch, batch)
		for tries := 0; errors.Is(err, ErrFull) && tries < 10_000; tries++ {
			time.Sleep(time.Millisecond)
			err = j.Append(nil, epoch, batch)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	changing.Wait()
	j.Seal()
	reading.Wait()
	if err := j.Sync(); err != nil || j.Stats().Synced != j.Stats().Newest {
		t.Errorf("synced %d of %d, %v", j.Stats().Synced, j.Stats().Newest, err)
	}
}

// reconfigure changes the options and the pin repeatedly until done is closed.
func reconfigure(j *Journal, r *Reader, opts Options, done <-chan struct{}) {
	rng := rand.New(rand.NewSource(1))
	for {
		select {
		case <-done:
			return
		default:
		}
		opts.Fsync = Fsync(rng.Intn(3))
		opts.MaxBytes = int64(rng.Intn(3)) * 50_000
		opts.SyncInterval = time.Duration(1+rng.Intn(3)) * time.Millisecond
		j.Configure(opts)
		r.SetPin(rng.Intn(2) == 0)
	}
}

// account reads and commits until the journal ends, and returns the number of
// records that were read or skipped.
func account(t *testing.T, r *Reader) (n uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	records := make([]Record, 64)
	for {
		got, skipped, err := r.Read(ctx, records)
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Error(err)
			return n
		}
		for i, rec := range records[:got] {
			if want := n + skipped + uint64(i); rec.Index != want {
				t.Errorf("the record at %d is the one at %d", want, rec.Index)
			}
		}
		n += skipped + uint64(got)
		if err := r.Commit(records[got-1]); err != nil {
			t.Error(err)
		}
	}
}
