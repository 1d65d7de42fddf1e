// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// observe reads all records that exist.
func observe(t *testing.T, f *Follower) (numbers []uint64, missed uint64) {
	t.Helper()
	records := make([]Record, 3)
	for {
		n, m, err := f.TryRead(records)
		missed += m
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if n == 0 {
			return numbers, missed
		}
		for _, r := range records[:n] {
			if string(r.Data) != text(int(r.Seq)) {
				t.Errorf("record %d is %q", r.Seq, r.Data)
			}
			numbers = append(numbers, r.Seq)
		}
	}
}

func numbersBetween(first, last uint64) (list []uint64) {
	for ; first <= last; first++ {
		list = append(list, first)
	}
	return list
}

func TestFollowerReadsFromAnyPosition(t *testing.T) {
	j := open(t, "/j", manualOptions(memfs.New()))
	for i := range 40 {
		put(t, j, text(i*2+1), text(i*2+2))
	}
	for name, test := range map[string]struct {
		at    Position
		first uint64
	}{
		"oldest":                 {j.Beginning(), 1},
		"in the middle":          {Position{Next: 33, Index: 32}, 33},
		"without its index":      {Position{Next: 34, Index: UnknownIndex}, 34},
		"end":                    {j.End(), 81},
		"after a time long past": {j.Since(epoch.Add(-time.Hour)), 1},
		"after a future time":    {j.Since(epoch.Add(time.Hour)), 81},
	} {
		f := j.Follow(test.at)
		got, missed := observe(t, f)
		if want := numbersBetween(test.first, 80); !slices.Equal(got, want) || missed != 0 {
			t.Errorf("%s: read %d, missed %d; want %d", name, got, missed, want)
		}
		f.Close()
	}
	f := j.Follow(j.End())
	defer f.Close()
	put(t, j, text(81), text(82))
	if err := f.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, missed := observe(t, f); !slices.Equal(got, []uint64{81, 82}) || missed != 0 {
		t.Errorf("appended later: read %d, missed %d", got, missed)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
	j.Seal()
	if _, _, err := f.TryRead(make([]Record, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("at the end of a sealed journal: %v", err)
	}
}

// TestFollowerRetainsNoRecord: segments are removed as without the Follower, which learns exactly how many
// records it has missed, and counts no damage.
func TestFollowerRetainsNoRecord(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	r := reader(t, j, "sink", FromOldest)
	for i := range 10 {
		put(t, j, text(i*2+1), text(i*2+2))
	}
	f := j.Follow(j.Beginning())
	defer f.Close()
	got := make([]Record, 3)
	if n, missed, err := f.TryRead(got); n == 0 || missed != 0 || err != nil {
		t.Fatal(n, missed, err)
	}
	for i := range 30 {
		put(t, j, text(i*2+21), text(i*2+22))
	}
	commitAll(t, r)
	maintain(t, j)
	if n := len(segmentsIn(fs)); n != 1 {
		t.Fatalf("%d segments are left", n)
	}
	numbers, missed := observe(t, f)
	left := uint64(len(numbers))
	if left == 0 || missed == 0 || missed+left != 78 || !slices.Equal(numbers, numbersBetween(81-left, 80)) {
		t.Errorf("read %d, missed %d", numbers, missed)
	}
	if _, _, err := j.Find(1); !errors.Is(err, ErrNoRecord) {
		t.Errorf("a removed record: %v", err)
	}
	if s := j.Stats(); s.Damage.Records+s.Damage.Missing+s.Damage.Regions > 0 || s.Unreadable > 0 {
		t.Errorf("the Follower counted damage: %+v", s)
	}
}

// TestFollowerCountsDamagedRecords: a Follower skips damage, and leaves it to the readers to count it.
func TestFollowerCountsDamagedRecords(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	for i := range 40 {
		put(t, j, text(i*2+1), text(i*2+2))
	}
	segments := segmentsIn(fs)
	fs.Names[segments[1]].Data[framesIn(fs, segments[1])[0]+60] ^= 1
	delete(fs.Names, segments[3])
	f := j.Follow(j.Beginning())
	defer f.Close()
	numbers, missed := observe(t, f)
	if missed < 3 || missed+uint64(len(numbers)) != 80 || numbers[len(numbers)-1] != 80 {
		t.Errorf("read %d, missed %d", numbers, missed)
	}
	if s := j.Stats(); s.Damage.Records+s.Damage.Missing+s.Damage.Regions > 0 {
		t.Errorf("the Follower counted damage: %+v", s)
	}
}

// TestFollowersAccountForEachRecord: while a writer appends and segments are removed, a Follower reads or
// misses each record once.
func TestFollowersAccountForEachRecord(t *testing.T) {
	const batches, perBatch = 2000, 5
	j := open(t, t.TempDir(), Options{SegmentBytes: 4000, MaxBytes: 20_000, SyncInterval: time.Millisecond})
	done := make(chan error, 2)
	for range cap(done) {
		f := j.Follow(j.End())
		go func() { done <- accountFor(t.Context(), f, batches*perBatch) }()
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
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if s := j.Stats(); s.Damage.Records+s.Damage.Missing+s.Damage.Regions > 0 {
		t.Errorf("the Followers counted damage: %+v", s)
	}
}

// accountFor reads until each of total records was read or missed.
func accountFor(ctx context.Context, f *Follower, total uint64) error {
	defer f.Close()
	records := make([]Record, 2)
	for next := uint64(0); next < total; {
		n, missed, err := f.TryRead(records)
		if err != nil {
			return err
		}
		if next += missed; n == 0 {
			if err := f.Wait(ctx); err != nil {
				return err
			}
		}
		for _, r := range records[:n] {
			if v := binary.LittleEndian.Uint64(r.Data); v != next || r.Seq != next+1 {
				return fmt.Errorf("record %d contains %d, want %d", r.Seq, v, next)
			}
			next++
		}
	}
	return nil
}

func TestFindReturnsARecordAndItsPlace(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	for i := range 40 {
		put(t, j, text(i*2+1), text(i*2+2))
	}
	for _, seq := range []uint64{1, 2, 37, 80} {
		r, at, err := j.Find(seq)
		if err != nil || string(r.Data) != text(int(seq)) || r.Index != seq-1 || !slices.Contains(framesIn(fs, at.File), int(at.Offset)) {
			t.Errorf("record %d: %q at %+v, %v", seq, r.Data, at, err)
		}
	}
	for _, seq := range []uint64{0, 81, 1 << 63} {
		if r, _, err := j.Find(seq); !errors.Is(err, ErrNoRecord) {
			t.Errorf("record %d: %+v, %v", seq, r, err)
		}
	}
}

func TestBackwardReadsWholeSegments(t *testing.T) {
	j := open(t, "/j", manualOptions(memfs.New()))
	for i := range 40 {
		put(t, j, text(i*2+1), text(i*2+2))
	}
	var got []uint64
	if err := j.Backward(func(r Record) bool { got = append(got, r.Seq); return r.Seq <= 70 }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if !slices.Equal(got, numbersBetween(got[0], 80)) || got[0] > 70 || got[0] == 1 {
		t.Errorf("visited %d", got)
	}
}
