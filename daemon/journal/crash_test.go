// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// A story is what a test did to a journal, and when, counted in steps of the
// file system.
type story struct {
	fs    *memfs.FS
	texts map[uint64]string // by number, of all batches that were tried
	tries map[uint64]string // that failed, where the number has another text now
	moves []move
}

type move struct {
	step       int
	tried      uint64 // highest number that a batch was tried with
	taken      uint64 // highest number that Append has acknowledged
	generation uint64 // of that batch
	synced     uint64
	committing uint64 // highest number that a commit was tried with
	committed  uint64 // and that has returned
}

func (s *story) now(change func(*move)) {
	m := move{}
	if len(s.moves) > 0 {
		m = s.moves[len(s.moves)-1]
	}
	m.step = len(s.fs.Ops)
	change(&m)
	s.moves = append(s.moves, m)
}

// at returns how far the story was after n steps.
func (s *story) at(n int) (m move) {
	for _, next := range s.moves {
		if next.step <= n {
			m = next
		}
	}
	return m
}

// randomLife does random things to a journal.
func randomLife(t *testing.T, rng *rand.Rand, policy Fsync) *story {
	s := &story{fs: memfs.New(), texts: map[uint64]string{}, tries: map[uint64]string{}}
	opts := still(s.fs)
	opts.Fsync = policy
	j := open(t, "/j", opts)
	r := reader(t, j, "r", FromOldest)
	records := make([]Record, 6)
	var hand []Record // read and not committed
	generation := uint64(0)
	n := 0
	for range 70 {
		switch k := rng.Intn(21); {
		case k < 9:
			var texts []string
			for range 1 + rng.Intn(4) {
				n++
				texts = append(texts, text(n))
			}
			generation++
			s.try(t, j, texts)
			if rng.Intn(8) == 0 {
				// It fails, and is tried again as the receiver would.
				s.fs.Fail = failing([]memfs.Kind{memfs.Write, memfs.Sync, memfs.Create}[rng.Intn(3)], unix.EIO)
				err := j.Append(generation, epoch, batchOf(texts...))
				s.fs.Fail = nil
				if err == nil {
					s.now(func(m *move) { m.taken, m.generation, m.synced = j.Stats().Last, generation, j.Stats().Synced })
					continue
				}
				for seq := range s.texts {
					if seq > j.Stats().Last { // the try's
						s.tries[seq] = s.texts[seq]
						delete(s.texts, seq)
					}
				}
				s.try(t, j, texts)
			}
			put(t, j, generation, texts...)
			if opts.Fsync == FsyncAlways && j.Stats().Synced != j.Stats().Newest {
				t.Fatalf("synced %d of %d", j.Stats().Synced, j.Stats().Newest)
			}
			s.now(func(m *move) { m.taken, m.generation, m.synced = j.Stats().Last, generation, j.Stats().Synced })
		case k < 13:
			if k := rng.Intn(8); k < 2 { // an fsync fails; the next one cannot be trusted
				s.fs.Fail = failingOn([]string{segment.Suffix, cursor.Prefix}[k], memfs.Sync, unix.EIO)
				_ = j.syncer.maintain() // it may fail, or be idle
				s.fs.Fail = nil
				s.now(func(m *move) { m.synced = j.Stats().Synced })
			}
			if err := j.syncer.maintain(); err != nil {
				t.Fatal(err)
			}
			s.now(func(m *move) { m.synced = j.Stats().Synced })
		case k < 18:
			n, _, err := r.TryRead(records)
			if err != nil {
				t.Fatal(err)
			}
			if hand = append(hand, records[:n]...); len(hand) > 0 {
				n := 1 + rng.Intn(len(hand))
				last := hand[n-1]
				hand = hand[n:]
				seq := last.Seq
				s.now(func(m *move) { m.committing = max(m.committing, seq) })
				if err := r.Commit(last); err != nil {
					t.Fatal(err)
				}
				s.now(func(m *move) { m.committed = max(m.committed, seq) })
			} else if rng.Intn(2) == 0 {
				s.trim(t, j, r, 1+rng.Int63n(2*j.Stats().Bytes+1))
			}
		case k < 19:
			opts.Fsync = Fsync(rng.Intn(3))
			j.Configure(opts)
		case k == 19:
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			fallthrough
		default:
			abandon(j)
			j = open(t, "/j", opts)
			s.now(func(m *move) { m.synced = min(j.Stats().Synced, m.taken) })
			r, hand = reader(t, j, "r", FromOldest), nil
		}
	}
	abandon(j)
	return s
}

// trim may commit any record on the way, and then has committed those it dropped.
func (s *story) trim(t *testing.T, j *Journal, r *Reader, maxBytes int64) {
	t.Helper()
	var before uint64
	s.now(func(m *move) { before = m.committing; m.committing = j.Stats().Last })
	if _, err := r.Trim(maxBytes, time.Time{}); err != nil {
		t.Fatal(err)
	}
	dropped := r.cursor.Passed(false) - 1
	s.now(func(m *move) { m.committing = max(before, dropped); m.committed = max(m.committed, dropped) })
}

// try notes what is about to be appended.
func (s *story) try(t *testing.T, j *Journal, texts []string) {
	t.Helper()
	j.writer.mu.Lock()
	c := j.cond.enter()
	err := j.writer.ready(&c) // otherwise the first Append does this, and only then the next number is known
	j.writer.mu.Unlock()
	if errors.Is(err, errUnsynced) {
		err = j.syncer.flushAll()
	}
	if err != nil {
		t.Fatal(err)
	}
	first := nextNumber(j)
	for i, text := range texts {
		s.texts[first+uint64(i)] = text
	}
	s.now(func(m *move) { m.tried = max(m.tried, first+uint64(len(texts))-1) })
}

// nextNumber returns the first number of the next batch.
func nextNumber(j *Journal) uint64 {
	if n := len(j.index.segments); n > 0 && j.writer.active == nil && j.index.segments[n-1].first == j.index.Next {
		return j.index.Next + 1
	}
	return j.index.Next
}

// TestCrashAtEachStep ends the process, and the machine, at each step that the
// journal does on the file system; and again at some step of the next start.
func TestCrashAtEachStep(t *testing.T) {
	for _, policy := range []Fsync{FsyncInterval, FsyncAlways, FsyncNever} {
		for seed := range int64(scale(2, 40)) {
			t.Run(fmt.Sprintf("policy %d seed %d", policy, seed), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewSource(seed))
				s := randomLife(t, rng, policy)
				for n := range len(s.fs.Ops) + 1 {
					s.crash(t, n, policy, rng)
					if t.Failed() {
						return
					}
				}
			})
		}
	}
}

func (s *story) crash(t *testing.T, n int, policy Fsync, rng *rand.Rand) {
	done, limit := s.at(n), scale(8, 64)
	s.check(t, fmt.Sprintf("killed at %d", n), memfs.Killed(s.fs.Ops, n, segment.Suffix, rng), done, policy, false)
	for i, fs := range memfs.PowerCuts(s.fs.Ops, n, limit, rng) {
		what := fmt.Sprintf("power cut %d at %d", i, n)
		again := fs.Clone().Settled()
		s.check(t, what, fs, done, policy, true)
		if i > 0 {
			continue
		}
		before := len(again.Ops)
		restart(t, again, policy)
		m := before + rng.Intn(len(again.Ops)-before+1)
		for i, fs := range memfs.PowerCuts(again.Ops, m, limit, rng) {
			s.check(t, fmt.Sprintf("%s, and %d at %d of the start", what, i, m-before), fs, done, policy, true)
		}
	}
	// The next process finds in memory what the machine may yet lose.
	after := memfs.Killed(s.fs.Ops, n, segment.Suffix, rng)
	before := len(after.Ops)
	synced := restart(t, after, policy)
	m := before + rng.Intn(len(after.Ops)-before+1)
	// Between an fsync that fails and the note of it lies an instruction or two, in
	// which a kill lets the next process trust what it must not: see doc.go.
	noted := n == 0 || s.fs.Ops[n-1].Kind != memfs.Lost
	if m == len(after.Ops) && noted {
		done.synced = max(done.synced, min(synced, done.taken))
	}
	what := fmt.Sprintf("killed at %d and at %d of the start", n, m-before)
	s.check(t, what, memfs.Killed(after.Ops, m, segment.Suffix, rng), done, policy, false)
	for i, fs := range memfs.PowerCuts(after.Ops, m, limit, rng) {
		s.check(t, fmt.Sprintf("killed at %d, and power cut %d at %d of the start", n, i, m-before), fs, done, policy, true)
	}
}

// restart opens the journal and is killed; it returns the highest number that was called durable.
func restart(t *testing.T, fs *memfs.FS, policy Fsync) (synced uint64) {
	t.Helper()
	opts := still(fs)
	opts.Fsync = policy
	j := open(t, "/j", opts)
	defer abandon(j)
	begin(t, j)
	return j.Stats().Synced
}
