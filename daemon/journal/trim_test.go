// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"math/rand"
	"testing"
	"time"
)

// TestTrimCountsEachRecordOnce: whatever is damaged where it passes, Trim and the
// next Read together count each record that was not read, once.
func TestTrimCountsEachRecordOnce(t *testing.T) {
	damage := map[string]func(fs *memFS, s []string){
		"nothing":                 func(*memFS, []string) {},
		"a frame on the way":      func(fs *memFS, s []string) { fs.names[s[1]].data[fs.frames(s[1])[1]+60] ^= 1 },
		"the first frame of all":  func(fs *memFS, s []string) { fs.names[s[0]].data[fs.frames(s[0])[0]+60] ^= 1 },
		"the first header of all": func(fs *memFS, s []string) { fs.names[s[0]].data[40] ^= 1 },
		"the header where it stops": func(fs *memFS, s []string) {
			fs.names[s[len(s)-2]].data[40] ^= 1
		},
		"header and frame where it stops": func(fs *memFS, s []string) {
			d := fs.names[s[len(s)-2]]
			clear(d.data[:fs.frames(s[len(s)-2])[1]])
		},
		"a segment on the way":       func(fs *memFS, s []string) { delete(fs.names, s[2]) },
		"the segment where it stops": func(fs *memFS, s []string) { delete(fs.names, s[len(s)-2]) },
	}
	for name, injure := range damage {
		t.Run(name, func(t *testing.T) {
			fs, _ := patient(t, true)
			segments := fs.segments()
			keep := int64(len(fs.names[last(segments)].data)) + 400 // ends in the last but one
			injure(fs, segments)
			j := open(t, "/j", still(fs))
			r := reader(t, j, "r", FromOldest)
			first, lost := next(t, r)
			if err := r.Commit(first); err != nil {
				t.Fatal(err)
			}
			dropped, err := r.Trim(keep, time.Time{})
			if err != nil || dropped < patientRecords/2 {
				t.Fatalf("dropped %d, %v", dropped, err)
			}
			mark := r.Backlog()
			got, skipped := drain(t, r)
			if lost+1+dropped+skipped+uint64(len(got)) != patientRecords || len(got) == 0 {
				t.Errorf("lost %d, read 1, dropped %d, skipped %d, read %d of %d", lost, dropped, skipped, len(got), patientRecords)
			}
			if mark != skipped+uint64(len(got)) {
				t.Errorf("the cursor has %d records behind it, want %d", mark, skipped+uint64(len(got)))
			}
		})
	}
}

// TestTrimReadsNoSegmentThatGoesWhole: nor anything when there is nothing to drop.
func TestTrimReadsNoSegmentThatGoesWhole(t *testing.T) {
	fs := newMemFS()
	j := open(t, "/j", still(fs))
	r := reader(t, j, "r", FromOldest)
	const batches = 300
	for i := range batches {
		if err := j.Append(uint64(i+1), epoch.Add(time.Duration(i)*time.Second), batchOf(string(make([]byte, 240)))); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name     string
		maxBytes int64
		oldest   time.Time
		dropped  uint64
		read     int64 // bytes, at the most
	}{
		{"no limits", 0, time.Time{}, 0, 0},
		{"not so much", j.Bytes(), time.Time{}, 0, 0},
		{"not so old", 0, epoch, 0, 1000},
		{"not so old, again", 0, epoch, 0, 0},
		{"too old", 0, epoch.Add(200 * time.Second), 200, 2000},
		{"too old, again", j.Bytes(), epoch.Add(200 * time.Second), 0, 0},
		{"too much", 10 * 300, time.Time{}, 91, 2000},
		{"all too old", 0, epoch.Add(time.Hour), 9, 4000},
		{"nothing left", 1, epoch.Add(time.Hour), 0, 0},
	} {
		before := fs.read
		dropped, err := r.Trim(c.maxBytes, c.oldest)
		if err != nil || dropped != c.dropped || fs.read-before > c.read {
			t.Errorf("%s: dropped %d, %v, and read %d bytes, want %d and at most %d", c.name, dropped, err, fs.read-before, c.dropped, c.read)
		}
	}
	tend(t, j)
	if got := len(fs.segments()); got != 1 {
		t.Errorf("%d segments are left of what was dropped", got)
	}
}

// TestTrimBesideAWriter: with retention and the keeper at work too, each record is
// read, dropped or skipped, once.
func TestTrimBesideAWriter(t *testing.T) {
	const batches = 5000
	j := open(t, t.TempDir(), Options{SegmentBytes: 4000, MaxBytes: 40_000, SyncInterval: time.Millisecond})
	r := reader(t, j, "r", FromOldest)
	writing := make(chan error, 1)
	go func() {
		for i := range uint64(batches) {
			if err := j.Append(i+1, epoch.Add(time.Duration(i)), [][]byte{binary.LittleEndian.AppendUint64(nil, i)}); err != nil {
				writing <- err
				return
			}
		}
		j.Seal()
		writing <- nil
	}()
	rng := rand.New(rand.NewSource(1))
	records := make([]Record, 20)
	place, dropped := uint64(0), uint64(0)
	for {
		n, skipped, err := r.TryRead(records[:1+rng.Intn(len(records))])
		if isEOF(err) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		place += skipped
		for _, rec := range records[:n] {
			if got := binary.LittleEndian.Uint64(rec.Data); got != place {
				t.Fatalf("record %d after %d were read, dropped or skipped", got, place)
			}
			place++
		}
		if n == 0 {
			continue
		}
		if err := r.Commit(records[n-1]); err != nil {
			t.Fatal(err)
		}
		d, err := r.Trim(int64(rng.Intn(30_000)), epoch.Add(time.Duration(place)))
		if err != nil {
			t.Fatal(err)
		}
		place, dropped = place+d, dropped+d
	}
	if err := <-writing; err != nil {
		t.Fatal(err)
	}
	if place != batches || dropped == 0 {
		t.Errorf("%d records read, dropped or skipped, want %d; %d were dropped", place, batches, dropped)
	}
}
