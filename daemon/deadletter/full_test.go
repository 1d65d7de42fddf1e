// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/tmpfs"
)

// TestFullDisk checks that Add returns an error, no stored letter is lost, and the box can
// be emptied.
func TestFullDisk(t *testing.T) {
	dir := tmpfs.Mount(t, "size=400k")
	b := open(t, filepath.Join(dir, "box"), Options{MaxBytes: 1 << 20})
	stored := uint64(0)
	for {
		err := b.Add(letters(stored+1, stored+20)...)
		if errors.Is(err, unix.ENOSPC) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		stored += 20
	}
	var err error
	for err == nil { // a record of Remove has the same size
		_, err = b.RequestReplay(ID{journalID, stored})
	}
	wantLetters(t, b, letters(1, stored))
	if n, err := b.Remove(ID{journalID, stored}); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("removed %d of the newest, %v: the disk of the test is not full", n, err)
	}
	wantLetters(t, b, letters(1, stored))
	remove(t, b, int(stored), b.IDs()...)
	closeBox(t, b)
	b = open(t, b.dir, Options{MaxBytes: 1 << 20})
	wantLetters(t, b, nil)
	add(t, b, letters(stored+1, stored+20)...)
	wantLetters(t, b, letters(stored+1, stored+20))
	closeBox(t, b)
}

// TestStorm adds, replays and removes many letters in batches of a usual size. The cost of
// each must not grow with their number.
func TestStorm(t *testing.T) {
	const batch = 250
	total := uint64(scale(20_000, 400_000))
	b := open(t, filepath.Join(t.TempDir(), "box"), Options{MaxBytes: 64 << 20})
	begin := time.Now()
	for seq := uint64(1); seq <= total; seq += batch {
		add(t, b, letters(seq, seq+batch-1)...)
	}
	t.Logf("added in %v, %+v", time.Since(begin), b.Stats())
	begin = time.Now()
	closeBox(t, b)
	b = open(t, b.dir, Options{MaxBytes: 64 << 20})
	t.Logf("opened in %v", time.Since(begin))
	begin = time.Now()
	if n, err := b.RequestReplay(b.IDs()...); n != int(total) || err != nil {
		t.Fatal(n, err)
	}
	for first := uint64(1); first <= total; first += batch {
		got, err := b.NextReplay(batch)
		if err != nil || len(got) != batch || got[0].ID.Seq != first || got[batch-1].ID.Seq != first+batch-1 {
			t.Fatalf("at %d: %d letters, %v", first, len(got), err)
		}
		remove(t, b, batch, idsFrom(first, first+batch-1)...)
	}
	t.Logf("replayed in %v, %+v", time.Since(begin), b.Stats())
	wantLetters(t, b, nil)
	if n := len(b.index.entries); n > 0 {
		t.Errorf("%d entries of removed letters are still in memory", n)
	}
	closeBox(t, b)
}

// TestConcurrentUse uses a box concurrently as the worker, an operator and a scrape do.
func TestConcurrentUse(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "box"), Options{MaxBytes: 100_000, MaxAge: time.Hour})
	var sides sync.WaitGroup
	add(t, b, letters(1, 1)...)
	sides.Go(func() {
		for seq := uint64(2); seq <= 4000; seq += 10 {
			if err := b.Add(letters(seq, seq+9)...); err != nil {
				t.Error(err)
			}
		}
	})
	sides.Go(func() {
		for range 30 {
			if _, err := b.RequestReplay(b.IDs()...); err != nil {
				t.Error(err)
			}
		}
	})
	sides.Go(func() {
		for range 30 {
			got, err := b.NextReplay(50)
			if err != nil {
				t.Error(err)
			}
			for _, l := range got {
				if _, err := b.Remove(l.ID); err != nil {
					t.Error(err)
				}
			}
		}
	})
	sides.Go(func() {
		for range 100 {
			if _, err := b.Get(b.IDs()...); err != nil {
				t.Error(err)
			}
			if s := b.Stats(); s.Damaged != 0 {
				t.Errorf("%+v", s)
			}
		}
	})
	sides.Wait()
	closeBox(t, b)
}
