// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// TestTrimCountsEachRecordOnce: with any damage, Trim or the next Read counts each record, and not
// both.
func TestTrimCountsEachRecordOnce(t *testing.T) {
	damage := map[string]func(fs *memfs.FS, s []string){
		"nothing":          func(*memfs.FS, []string) {},
		"a dropped frame":  func(fs *memfs.FS, s []string) { fs.Names[s[1]].Data[framesIn(fs, s[1])[1]+60] ^= 1 },
		"the first frame":  func(fs *memfs.FS, s []string) { fs.Names[s[0]].Data[framesIn(fs, s[0])[0]+60] ^= 1 },
		"the first header": func(fs *memfs.FS, s []string) { fs.Names[s[0]].Data[40] ^= 1 },
		"the header of the segment where Trim stops": func(fs *memfs.FS, s []string) {
			fs.Names[s[len(s)-2]].Data[40] ^= 1
		},
		"header and frame of the segment where Trim stops": func(fs *memfs.FS, s []string) {
			d := fs.Names[s[len(s)-2]]
			clear(d.Data[:framesIn(fs, s[len(s)-2])[1]])
		},
		"a dropped segment":            func(fs *memfs.FS, s []string) { delete(fs.Names, s[2]) },
		"the segment where Trim stops": func(fs *memfs.FS, s []string) { delete(fs.Names, s[len(s)-2]) },
	}
	for name, apply := range damage {
		for i := range 4 {
			begun, within := i%2 == 0, i/2 == 0
			t.Run(fmt.Sprintf("%s/begun=%v/within=%v", name, begun, within), func(t *testing.T) {
				fs, _ := healthyJournal(t, true)
				segments := segmentsIn(fs)
				keep := int64(len(fs.Names[last(segments)].Data)) // plus a part or all of the last but one
				if within {
					keep += 400
				} else {
					keep += int64(len(fs.Names[segments[len(segments)-2]].Data))
				}
				j := open(t, "/j", manualOptions(fs))
				apply(fs, segments)
				r, before := reader(t, j, "new", FromOldest), uint64(0)
				if begun {
					rec, skipped := next(t, r)
					before = skipped + 1
					if err := r.Commit(rec); err != nil {
						t.Fatal(err)
					}
				}
				trimAndRead(t, r, keep, healthyRecords-before)
			})
		}
	}
}

func trimAndRead(t *testing.T, r *Reader, keep int64, want uint64) {
	t.Helper()
	dropped, err := r.Trim(keep, time.Time{})
	if err != nil || dropped < healthyRecords/2 {
		t.Fatalf("dropped %d, %v", dropped, err)
	}
	behind := r.Backlog()
	got, skipped := drain(t, r)
	if n := uint64(len(got)); n == 0 || dropped+n != want || skipped > 0 || behind != n {
		t.Errorf("dropped %d, skipped %d, read %d of %d; %d were behind the cursor", dropped, skipped, n, want, behind)
	}
}

// TestTrimUpToEmptySegment: the newest segment does not contain a record yet.
func TestTrimUpToEmptySegment(t *testing.T) {
	j := open(t, "/j", manualOptions(memfs.New()))
	r := reader(t, j, "r", FromOldest)
	fill(t, j, 10)
	j.writer.mu.Lock()
	err := j.writer.rotate()
	j.writer.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if dropped, err := r.Trim(0, j.now().Add(time.Hour)); dropped != 10 || err != nil || r.Backlog() != 0 {
		t.Errorf("dropped %d, %v, %d behind the cursor", dropped, err, r.Backlog())
	}
	put(t, j, "new")
	if got, skipped := readOne(t, r); got.text != "new" || skipped != 0 {
		t.Errorf("got %v, %d skipped", got, skipped)
	}
}

// TestTrimAllowsForFileTimestampRounding: the kernel and the file system round
// timestamps down, so they may be before the receipt of the newest record.
func TestTrimAllowsForFileTimestampRounding(t *testing.T) {
	fs := memfs.New() // the timestamp of each file is epoch
	j := open(t, "/j", manualOptions(fs))
	for range uint64(20) {
		if err := j.Append(nil, epoch.Add(time.Second), batchOf(string(make([]byte, 240)))); err != nil {
			t.Fatal(err)
		}
	}
	abandon(j)
	r := reader(t, open(t, "/j", manualOptions(fs)), "r", FromOldest)
	if dropped, err := r.Trim(0, epoch.Add(time.Second)); dropped != 0 || err != nil {
		t.Errorf("dropped %d, %v", dropped, err)
	}
	if dropped, err := r.Trim(0, epoch.Add(time.Second+1)); dropped != 20 || err != nil {
		t.Errorf("dropped %d, %v", dropped, err)
	}
}

// TestTrimDoesNotReadFullyDroppedSegments, and no segment if it drops no record.
func TestTrimDoesNotReadFullyDroppedSegments(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	r := reader(t, j, "r", FromOldest)
	const batches = 300
	for i := range batches {
		if err := j.Append(nil, epoch.Add(time.Duration(i)*time.Second), batchOf(string(make([]byte, 240)))); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name     string
		maxBytes int64
		oldest   time.Time
		dropped  uint64
		read     int64 // maximum number of bytes
	}{
		{"no limits", 0, time.Time{}, 0, 0},
		{"not so much", j.Stats().Bytes, time.Time{}, 0, 0},
		{"not so old", 0, epoch, 0, 1000},
		{"not so old, again", 0, epoch, 0, 0},
		{"too old", 0, epoch.Add(200 * time.Second), 200, 2000},
		{"too old, again", j.Stats().Bytes, epoch.Add(200 * time.Second), 0, 0},
		{"too much", 10 * 300, time.Time{}, 91, 2000},
		{"all too old", 0, epoch.Add(time.Hour), 9, 4000},
		{"nothing left", 1, epoch.Add(time.Hour), 0, 0},
	} {
		before := fs.BytesRead
		dropped, err := r.Trim(c.maxBytes, c.oldest)
		if err != nil || dropped != c.dropped || fs.BytesRead-before > c.read {
			t.Errorf("%s: dropped %d, %v, and read %d bytes, want %d and at most %d", c.name, dropped, err, fs.BytesRead-before, c.dropped, c.read)
		}
	}
	maintain(t, j)
	if got := len(segmentsIn(fs)); got != 1 {
		t.Errorf("%d segments are left after all records were dropped", got)
	}
}

// TestTrimConcurrentWithWriter: while retention and the maintainer run too, each record is read,
// dropped or skipped exactly once.
func TestTrimConcurrentWithWriter(t *testing.T) {
	const batches = 5000
	j := open(t, t.TempDir(), Options{SegmentBytes: 4000, MaxBytes: 40_000, SyncInterval: time.Millisecond})
	r := reader(t, j, "r", FromOldest)
	writing := make(chan error, 1)
	go func() {
		for i := range uint64(batches) {
			if err := j.Append(nil, epoch.Add(time.Duration(i)), [][]byte{binary.LittleEndian.AppendUint64(nil, i)}); err != nil {
				writing <- err
				return
			}
		}
		j.Seal()
		writing <- nil
	}()
	rng := rand.New(rand.NewSource(1))
	records := make([]Record, 20)
	position, dropped := uint64(0), uint64(0)
	for {
		n, skipped, err := r.TryRead(records[:1+rng.Intn(len(records))])
		if isEOF(err) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		position += skipped
		for _, rec := range records[:n] {
			if got := binary.LittleEndian.Uint64(rec.Data); got != position {
				t.Fatalf("record %d after %d were read, dropped or skipped", got, position)
			}
			position++
		}
		if n == 0 {
			continue
		}
		if err := r.Commit(records[n-1]); err != nil {
			t.Fatal(err)
		}
		d, err := r.Trim(int64(rng.Intn(30_000)), epoch.Add(time.Duration(position)))
		if err != nil {
			t.Fatal(err)
		}
		position, dropped = position+d, dropped+d
	}
	if err := <-writing; err != nil {
		t.Fatal(err)
	}
	if position != batches || dropped == 0 {
		t.Errorf("%d records read, dropped or skipped, want %d; %d were dropped", position, batches, dropped)
	}
}
