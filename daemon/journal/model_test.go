// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"fmt"
	"math/rand"
	"testing"
	"time"
)

// A model is what the journal should be: a slice, and a place in it per reader.
type model struct {
	all    []seen
	places map[string]int // of the next record to read
	marks  map[string]int // committed
}

// TestModel does random things to a journal on the machine's file system and
// compares it with a slice.
func TestModel(t *testing.T) {
	for seed := range int64(scale(8, 400)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			runModel(t, rand.New(rand.NewSource(seed)), 400)
		})
	}
}

func runModel(t *testing.T, rng *rand.Rand, steps int) {
	dir := t.TempDir()
	opts := Options{SegmentBytes: int64(500 + rng.Intn(5000)), SyncInterval: time.Hour, Fsync: Fsync(rng.Intn(3))}
	m := model{places: map[string]int{}, marks: map[string]int{}}
	var j *Journal
	readers := map[string]*Reader{}
	reopen := func() {
		j = open(t, dir, opts)
		for _, name := range []string{"a", "b"} {
			readers[name] = reader(t, j, name, FromOldest)
			m.places[name] = m.marks[name]
		}
	}
	reopen()
	for i := range steps {
		name := []string{"a", "b"}[rng.Intn(2)]
		switch k := rng.Intn(100); {
		case k < 50:
			m.append(t, j, rng, uint64(i+1))
		case k < 80:
			m.read(t, readers[name], name, rng)
		case k < 90:
			m.commit(t, readers[name], name)
		case k < 95:
			if err := j.tend(); err != nil {
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
		if got := j.Count(); got != uint64(len(m.all)) {
			t.Fatalf("step %d: %d records, want %d", i, got, len(m.all))
		}
		for name, r := range readers {
			if got, want := r.Backlog(), uint64(len(m.all)-m.marks[name]); got != want {
				t.Fatalf("step %d: backlog of %s is %d, want %d", i, name, got, want)
			}
		}
	}
	if d := j.Damage(); d != (Damage{}) {
		t.Errorf("damage in a healthy journal: %+v", d)
	}
}

func (m *model) append(t *testing.T, j *Journal, rng *rand.Rand, generation uint64) {
	t.Helper()
	batch := make([][]byte, rng.Intn(8))
	for i := range batch {
		batch[i] = make([]byte, rng.Intn(200))
		rng.Read(batch[i])
	}
	if err := j.Append(generation, epoch, batch); err != nil {
		t.Fatal(err)
	}
	for i, b := range batch {
		m.all = append(m.all, seen{j.Last() - uint64(len(batch)-1-i), string(b)})
	}
	if len(batch) > 0 && j.LastGeneration() != generation {
		t.Fatalf("last generation %d, want %d", j.LastGeneration(), generation)
	}
}

func (m *model) read(t *testing.T, r *Reader, name string, rng *rand.Rand) {
	t.Helper()
	records := make([]Record, 1+rng.Intn(20))
	n, skipped, err := r.tryRead(records)
	if err != nil || skipped > 0 {
		t.Fatalf("read: %d skipped, %v", skipped, err)
	}
	if n == 0 && m.places[name] < len(m.all) {
		t.Fatalf("reader %s reads nothing at %d of %d", name, m.places[name], len(m.all))
	}
	for _, rec := range records[:n] {
		want := m.all[m.places[name]]
		if got := (seen{rec.Seq, string(rec.Data)}); got != want {
			t.Fatalf("reader %s at %d: %d %q, want %d %q", name, m.places[name], got.seq, got.text, want.seq, want.text)
		}
		m.places[name]++
	}
}

func (m *model) commit(t *testing.T, r *Reader, name string) {
	t.Helper()
	at := m.places[name]
	if at == m.marks[name] {
		return
	}
	if err := r.Commit(m.all[at-1].seq); err != nil {
		t.Fatal(err)
	}
	m.marks[name] = at
}
