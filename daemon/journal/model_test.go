// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"math/rand"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/segment"
)

// A model is the expected state of a journal: a slice of records, and an index per reader.
type model struct {
	all     []textRecord
	batches []modelBatch
	readers map[string]*modelReader
	pinned  string // the pinned reader, or ""
	limited bool   // the journal has or had a limit, and may remove unread records
}

type modelReader struct {
	*Reader
	next        int                 // index of the next record to read
	committed   int                 // index of the first record that is not committed
	pinnedFrom  int                 // index of the first record that existed when the reader was pinned
	uncommitted []uncommittedRecord // records that were read and not committed
}

// An uncommittedRecord is a record that a reader has read and not committed.
type uncommittedRecord struct {
	Record
	end int // index of the next record
}

// A batchOfModel contains the values that Trim compares.
type modelBatch struct {
	first int // index of its first record
	bytes int64
	time  time.Time
}

// TestModel runs random operations on a journal on the file system of this machine,
// and compares the journal with a model.
func TestModel(t *testing.T) {
	for seed := range int64(scale(12, 400)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			runModel(t, rand.New(rand.NewSource(seed)), 400)
		})
	}
}

func runModel(t *testing.T, rng *rand.Rand, steps int) {
	dir := t.TempDir()
	opts := Options{SegmentBytes: int64(500 + rng.Intn(5000)), SyncInterval: time.Hour, Fsync: Fsync(rng.Intn(3))}
	m := model{readers: map[string]*modelReader{"a": {}, "b": {}}}
	if m.limited = rng.Intn(2) == 0; m.limited {
		opts.MaxBytes = 4 * opts.SegmentBytes
		m.pinned = []string{"", "a"}[rng.Intn(2)]
	}
	var j *Journal
	reopen := func() {
		j = open(t, dir, opts)
		for name, r := range m.readers {
			var err error
			if r.Reader, err = j.NewReader(name, ReaderOptions{Pin: name == m.pinned}); err != nil {
				t.Fatal(err)
			}
			r.next, r.uncommitted = r.committed, nil
			m.pin(j, name, name == m.pinned)
		}
	}
	reopen()
	for i := range steps {
		name := []string{"a", "b"}[rng.Intn(2)]
		switch k := rng.Intn(100); {
		case k < 48:
			m.append(t, j, rng)
		case k < 75:
			m.read(t, name, rng)
		case k < 86:
			m.commit(t, m.readers[name], rng.Intn)
		case k < 89:
			m.trim(t, j, name, rng)
		case k < 91:
			m.configure(t, j, rng, &opts)
		case k < 92:
			m.repin(j, rng)
		case k < 95:
			if err := j.syncer.maintain(); err != nil {
				t.Fatal(err)
			}
		case k < 97:
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			reopen()
		default:
			abandon(j)
			reopen()
		}
		m.compare(t, j, i)
		if t.Failed() {
			return
		}
	}
	if d := j.Stats().Damage; d != (damage.Counts{}) {
		t.Errorf("damage in a healthy journal: %+v", d)
	}
}

func (m *model) compare(t *testing.T, j *Journal, step int) {
	t.Helper()
	if got := j.Stats().Count; got != uint64(len(m.all)) {
		t.Fatalf("step %d: %d records, want %d", step, got, len(m.all))
	}
	for name, r := range m.readers {
		if got, want := r.Backlog(), uint64(len(m.all)-r.committed); got != want {
			t.Fatalf("step %d: backlog of %s is %d, want %d", step, name, got, want)
		}
		if lag, allCommitted := r.Lag(), r.committed == len(m.all); lag < 0 || lag > j.Stats().Bytes || allCommitted != (lag == 0) {
			t.Fatalf("step %d: lag of %s is %d of %d bytes, with %d records to commit", step, name, lag, j.Stats().Bytes, len(m.all)-r.committed)
		}
	}
}

func (m *model) append(t *testing.T, j *Journal, rng *rand.Rand) {
	t.Helper()
	batch := make([][]byte, rng.Intn(8))
	for i := range batch {
		batch[i] = make([]byte, rng.Intn(200))
		rng.Read(batch[i])
	}
	at := m.time(len(m.batches))
	var generation atomic.Uint64
	err := j.Append(&generation, at, batch)
	if m.pinned != "" && errors.Is(err, ErrFull) {
		if j.Stats().Count > uint64(m.readers[m.pinned].committed) {
			return
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(batch) == 0 {
		return
	}
	m.batches = append(m.batches, modelBatch{len(m.all), int64(segment.FrameHeaderLen + segment.PayloadLen(batch)), at})
	for i, b := range batch {
		m.all = append(m.all, textRecord{j.Stats().Last - uint64(len(batch)-1-i), string(b)})
	}
	if got, want := generation.Load(), uint64(len(m.batches)); got != want {
		t.Fatalf("generation %d, want %d", got, want)
	}
}

// mustKeep reports whether the journal must still contain that record for that reader.
func (m *model) mustKeep(reader string, index int) bool {
	return !m.limited || reader == m.pinned && index >= m.readers[reader].pinnedFrom
}

// pin stores the index of the oldest record that the journal contains when a reader is pinned.
func (m *model) pin(j *Journal, reader string, pin bool) {
	r := m.readers[reader]
	r.pinnedFrom = len(m.all)
	for pin && r.pinnedFrom > 0 && m.all[r.pinnedFrom-1].seq >= j.Stats().First {
		r.pinnedFrom--
	}
}

// repin removes the pin, and sets it again or pins another reader.
func (m *model) repin(j *Journal, rng *rand.Rand) {
	if m.pinned != "" {
		m.readers[m.pinned].SetPin(false)
	}
	if m.pinned = []string{"", "a", "b"}[rng.Intn(3)]; m.pinned != "" {
		m.readers[m.pinned].SetPin(true)
		m.pin(j, m.pinned, true)
	}
}

// configure changes the options, also for later starts.
func (m *model) configure(t *testing.T, j *Journal, rng *rand.Rand, opts *Options) {
	t.Helper()
	opts.SegmentBytes, opts.Fsync = int64(500+rng.Intn(5000)), Fsync(rng.Intn(3))
	if m.limited {
		opts.MaxBytes = int64(rng.Intn(4)) * opts.SegmentBytes
	}
	j.Configure(*opts)
	if m.pinned == "" && opts.MaxBytes > 0 && j.cond.used && len(j.index.segments) > 1 && j.Stats().Bytes > opts.MaxBytes {
		t.Fatalf("%d bytes in %d segments, the limit is %d now", j.Stats().Bytes, len(j.index.segments), opts.MaxBytes)
	}
}

// time returns the time of receipt of the nth batch.
func (*model) time(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }

func (m *model) read(t *testing.T, name string, rng *rand.Rand) {
	t.Helper()
	r := m.readers[name]
	records := make([]Record, 1+rng.Intn(20))
	n, skipped, err := r.TryRead(records)
	if err != nil || skipped > 0 && m.mustKeep(name, r.next+int(skipped)-1) {
		t.Fatalf("read: %d skipped, %v", skipped, err)
	}
	r.next += int(skipped)
	if n == 0 && r.next < len(m.all) {
		t.Fatalf("reader %s reads nothing at %d of %d", name, r.next, len(m.all))
	}
	for _, rec := range records[:n] {
		want := m.all[r.next]
		if got := (textRecord{rec.Seq, string(rec.Data)}); got != want {
			t.Fatalf("reader %s at %d: %d %q, want %d %q", name, r.next, got.seq, got.text, want.seq, want.text)
		}
		rec.Data = nil // Commit must not need it
		r.next++
		r.uncommitted = append(r.uncommitted, uncommittedRecord{rec, r.next})
	}
}

// commit commits one of the uncommitted records, and those before it.
func (m *model) commit(t *testing.T, r *modelReader, choose func(int) int) {
	t.Helper()
	if len(r.uncommitted) == 0 {
		return
	}
	k := choose(len(r.uncommitted))
	for _, i := range []int{k, choose(k + 1)} { // the second Commit is of an older record, and changes nothing
		if err := r.Commit(r.uncommitted[i].Record); err != nil {
			t.Fatal(err)
		}
	}
	r.committed = r.uncommitted[k].end
	r.uncommitted = r.uncommitted[k+1:]
}

// trim commits all records that were read, and drops some of the others.
func (m *model) trim(t *testing.T, j *Journal, name string, rng *rand.Rand) {
	t.Helper()
	r := m.readers[name]
	m.commit(t, r, func(n int) int { return n - 1 })
	var maxBytes int64
	var oldest time.Time
	if rng.Intn(2) == 0 {
		maxBytes = 1 + rng.Int63n(2*j.Stats().Bytes+1)
	}
	if rng.Intn(2) == 0 {
		oldest = m.time(len(m.batches) - rng.Intn(20))
	}
	dropped, err := r.Trim(maxBytes, oldest)
	if err != nil {
		t.Fatal(err)
	}
	before := r.next
	r.next += int(dropped)
	if dropped > 0 {
		r.committed = r.next
	}
	want := m.firstToKeep(j, before, maxBytes, oldest)
	removed := 0 // number of records that a limit of the journal has removed
	for removed < len(m.all) && m.all[removed].seq < j.Stats().First {
		removed++
	}
	if !m.mustKeep(name, before) && want <= removed && (dropped == 0 || r.next == removed) {
		return // Trim or the next Read counts the removed records
	}
	if r.next != want {
		t.Fatalf("trim of %s at %d to %d bytes, %v old, has dropped %d, want %d", name, before, maxBytes, oldest, dropped, want-before)
	}
}

// firstToKeep computes the result of Trim from the list of batches.
func (m *model) firstToKeep(j *Journal, index int, maxBytes int64, oldest time.Time) int {
	frames := int64(0) // bytes of this batch and of all later ones
	keep := len(m.all)
	for i := len(m.batches) - 1; i >= 0; i-- {
		b := m.batches[i]
		end := len(m.all)
		if i+1 < len(m.batches) {
			end = m.batches[i+1].first
		}
		frames += b.bytes
		headers := len(j.index.segments) - 1 - j.index.locate(m.all[b.first].seq)
		if left := frames + int64(headers)*segment.HeaderLen; end <= index || b.time.Before(oldest) || maxBytes > 0 && left > maxBytes {
			break
		}
		keep = b.first
	}
	return max(index, keep)
}
