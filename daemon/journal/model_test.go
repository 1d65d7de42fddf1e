// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/segment"
)

// A model is what the journal should be: a slice, and a place in it per reader.
type model struct {
	all     []seen
	batches []batchOfModel
	readers map[string]*modelReader
	pinned  string // the pinned reader, or ""
	limited bool   // the journal may remove records that are not read yet, or could before
}

type modelReader struct {
	*Reader
	place int    // of the next record to read
	mark  int    // of the first one not committed
	safe  int    // of the first record that existed when the reader was pinned; no later record may be missing
	hand  []held // that were read and not committed
}

type held struct {
	Record
	end int // place after it
}

// A batchOfModel contains the values that Trim compares.
type batchOfModel struct {
	first int // place of its first record
	bytes int64
	time  time.Time
}

// TestModel does random things to a journal on the machine's file system and
// compares it with a slice.
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
			r.place, r.hand = r.mark, nil
			m.pin(j, name, name == m.pinned)
		}
	}
	reopen()
	for i := range steps {
		name := []string{"a", "b"}[rng.Intn(2)]
		switch k := rng.Intn(100); {
		case k < 48:
			m.append(t, j, rng, uint64(i+1))
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
		if got, want := r.Backlog(), uint64(len(m.all)-r.mark); got != want {
			t.Fatalf("step %d: backlog of %s is %d, want %d", step, name, got, want)
		}
		if lag, none := r.Lag(), r.mark == len(m.all); lag < 0 || lag > j.Stats().Bytes || none != (lag == 0) {
			t.Fatalf("step %d: lag of %s is %d of %d bytes, with %d records to commit", step, name, lag, j.Stats().Bytes, len(m.all)-r.mark)
		}
	}
}

func (m *model) append(t *testing.T, j *Journal, rng *rand.Rand, generation uint64) {
	t.Helper()
	batch := make([][]byte, rng.Intn(8))
	for i := range batch {
		batch[i] = make([]byte, rng.Intn(200))
		rng.Read(batch[i])
	}
	at := m.time(len(m.batches))
	err := j.Append(generation, at, batch)
	if m.pinned != "" && errors.Is(err, ErrFull) {
		if j.Stats().Count > uint64(m.readers[m.pinned].mark) {
			return
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(batch) == 0 {
		return
	}
	m.batches = append(m.batches, batchOfModel{len(m.all), int64(segment.FrameHeaderLen + segment.PayloadLen(batch)), at})
	for i, b := range batch {
		m.all = append(m.all, seen{j.Stats().Last - uint64(len(batch)-1-i), string(b)})
	}
	if j.LastGeneration() != generation {
		t.Fatalf("last generation %d, want %d", j.LastGeneration(), generation)
	}
}

// keeps reports whether the journal must still have that record for that reader.
func (m *model) keeps(reader string, place int) bool {
	return !m.limited || reader == m.pinned && place >= m.readers[reader].safe
}

// pin notes what the journal has when a reader is pinned.
func (m *model) pin(j *Journal, reader string, pin bool) {
	r := m.readers[reader]
	r.safe = len(m.all)
	for pin && r.safe > 0 && m.all[r.safe-1].seq >= j.Stats().First {
		r.safe--
	}
}

// repin changes the pinned reader; no reader may be pinned.
func (m *model) repin(j *Journal, rng *rand.Rand) {
	if m.pinned != "" {
		m.readers[m.pinned].SetPin(false)
	}
	if m.pinned = []string{"", "a", "b"}[rng.Intn(3)]; m.pinned != "" {
		m.readers[m.pinned].SetPin(true)
		m.pin(j, m.pinned, true)
	}
}

// configure changes the options, for the next start too.
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

// time is when the nth batch is received.
func (*model) time(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }

func (m *model) read(t *testing.T, name string, rng *rand.Rand) {
	t.Helper()
	r := m.readers[name]
	records := make([]Record, 1+rng.Intn(20))
	n, skipped, err := r.TryRead(records)
	if err != nil || skipped > 0 && m.keeps(name, r.place+int(skipped)-1) {
		t.Fatalf("read: %d skipped, %v", skipped, err)
	}
	r.place += int(skipped)
	if n == 0 && r.place < len(m.all) {
		t.Fatalf("reader %s reads nothing at %d of %d", name, r.place, len(m.all))
	}
	for _, rec := range records[:n] {
		want := m.all[r.place]
		if got := (seen{rec.Seq, string(rec.Data)}); got != want {
			t.Fatalf("reader %s at %d: %d %q, want %d %q", name, r.place, got.seq, got.text, want.seq, want.text)
		}
		rec.Data = nil // Commit must not need it
		r.place++
		r.hand = append(r.hand, held{rec, r.place})
	}
}

// commit commits one of the records in hand, and those before it.
func (m *model) commit(t *testing.T, r *modelReader, choose func(int) int) {
	t.Helper()
	if len(r.hand) == 0 {
		return
	}
	k := choose(len(r.hand))
	for _, i := range []int{k, choose(k + 1)} { // an older one changes nothing
		if err := r.Commit(r.hand[i].Record); err != nil {
			t.Fatal(err)
		}
	}
	r.mark = r.hand[k].end
	r.hand = r.hand[k+1:]
}

// trim commits what is in hand, and passes over some of the rest.
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
	before := r.place
	r.place += int(dropped)
	if dropped > 0 {
		r.mark = r.place
	}
	want := m.firstToKeep(j, before, maxBytes, oldest)
	gone := 0 // taken by a limit of the journal
	for gone < len(m.all) && m.all[gone].seq < j.Stats().First {
		gone++
	}
	if !m.keeps(name, before) && want <= gone && (dropped == 0 || r.place == gone) {
		return // those too are dropped now, or skipped by the next Read
	}
	if r.place != want {
		t.Fatalf("trim of %s at %d to %d bytes, %v old, has dropped %d, want %d", name, before, maxBytes, oldest, dropped, want-before)
	}
}

// firstToKeep is Trim's contract, read from the list of batches.
func (m *model) firstToKeep(j *Journal, place int, maxBytes int64, oldest time.Time) int {
	frames := int64(0) // bytes of the batch and those behind it
	keep := len(m.all)
	for i := len(m.batches) - 1; i >= 0; i-- {
		b := m.batches[i]
		end := len(m.all)
		if i+1 < len(m.batches) {
			end = m.batches[i+1].first
		}
		frames += b.bytes
		headers := len(j.index.segments) - 1 - j.index.locate(m.all[b.first].seq)
		if left := frames + int64(headers)*segment.HeaderLen; end <= place || b.time.Before(oldest) || maxBytes > 0 && left > maxBytes {
			break
		}
		keep = b.first
	}
	return max(place, keep)
}
