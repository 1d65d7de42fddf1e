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

// A history records the operations of a test on a journal, by the number of steps of
// the file system.
type history struct {
	fs          *memfs.FS
	texts       map[uint64]string // by record number, of all attempted batches
	failedTexts map[uint64]string // of failed attempts whose number was used again for another text
	checkpoints []checkpoint      // in the order of their steps
}

// A checkpoint is the state of the journal after a number of steps.
type checkpoint struct {
	step       int
	attempted  uint64 // highest number of an attempted batch
	appended   uint64 // highest number of a batch that Append accepted
	generation uint64 // of the last accepted batch
	synced     uint64
	committing uint64 // highest number of an attempted commit
	committed  uint64 // highest number of a commit that returned
}

// update appends a checkpoint for the present step.
func (s *history) update(change func(*checkpoint)) {
	m := checkpoint{}
	if len(s.checkpoints) > 0 {
		m = s.checkpoints[len(s.checkpoints)-1]
	}
	m.step = len(s.fs.Ops)
	change(&m)
	s.checkpoints = append(s.checkpoints, m)
}

// at returns the last checkpoint up to step n.
func (s *history) at(n int) (m checkpoint) {
	for _, next := range s.checkpoints {
		if next.step <= n {
			m = next
		}
	}
	return m
}

// randomOperations runs random operations on a journal.
func randomOperations(t *testing.T, rng *rand.Rand, policy Fsync) *history {
	s := &history{fs: memfs.New(), texts: map[uint64]string{}, failedTexts: map[uint64]string{}}
	opts := manualOptions(s.fs)
	opts.Fsync = policy
	j := open(t, "/j", opts)
	r := reader(t, j, "r", FromOldest)
	records := make([]Record, 6)
	var uncommitted []Record // records that are read and not committed
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
			s.recordAttempt(t, j, texts)
			if rng.Intn(8) == 0 {
				// Append fails, and is repeated as the receiver does.
				s.fs.Fail = failing([]memfs.Kind{memfs.Write, memfs.Sync, memfs.Create}[rng.Intn(3)], unix.EIO)
				err := j.Append(nil, epoch, batchOf(texts...))
				s.fs.Fail = nil
				if err == nil {
					s.update(func(m *checkpoint) { m.appended, m.generation, m.synced = j.Stats().Last, generation, j.Stats().Synced })
					continue
				}
				for seq := range s.texts {
					if seq > j.Stats().Last { // of the failed attempt
						s.failedTexts[seq] = s.texts[seq]
						delete(s.texts, seq)
					}
				}
				s.recordAttempt(t, j, texts)
			}
			put(t, j, texts...)
			if opts.Fsync == FsyncAlways && j.Stats().Synced != j.Stats().Newest {
				t.Fatalf("synced %d of %d", j.Stats().Synced, j.Stats().Newest)
			}
			s.update(func(m *checkpoint) { m.appended, m.generation, m.synced = j.Stats().Last, generation, j.Stats().Synced })
		case k < 13:
			if k := rng.Intn(8); k < 2 { // an fsync fails; the next one cannot be trusted
				s.fs.Fail = failingOn([]string{segment.Suffix, cursor.Prefix}[k], memfs.Sync, unix.EIO)
				_ = j.syncer.maintain() // it may fail, or be idle
				s.fs.Fail = nil
				s.update(func(m *checkpoint) { m.synced = j.Stats().Synced })
			}
			if err := j.syncer.maintain(); err != nil {
				t.Fatal(err)
			}
			s.update(func(m *checkpoint) { m.synced = j.Stats().Synced })
		case k < 18:
			n, _, err := r.TryRead(records)
			if err != nil {
				t.Fatal(err)
			}
			if uncommitted = append(uncommitted, records[:n]...); len(uncommitted) > 0 {
				n := 1 + rng.Intn(len(uncommitted))
				last := uncommitted[n-1]
				uncommitted = uncommitted[n:]
				seq := last.Seq
				s.update(func(m *checkpoint) { m.committing = max(m.committing, seq) })
				if err := r.Commit(last); err != nil {
					t.Fatal(err)
				}
				s.update(func(m *checkpoint) { m.committed = max(m.committed, seq) })
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
			s.update(func(m *checkpoint) { m.synced = min(j.Stats().Synced, m.appended) })
			r, uncommitted = reader(t, j, "r", FromOldest), nil
		}
	}
	abandon(j)
	return s
}

// trim calls Trim, which commits the records that it drops; a crash may stop it at any of them.
func (s *history) trim(t *testing.T, j *Journal, r *Reader, maxBytes int64) {
	t.Helper()
	var before uint64
	s.update(func(m *checkpoint) { before = m.committing; m.committing = j.Stats().Last })
	if _, err := r.Trim(maxBytes, time.Time{}); err != nil {
		t.Fatal(err)
	}
	dropped := r.cursor.Passed(false) - 1
	s.update(func(m *checkpoint) { m.committing = max(before, dropped); m.committed = max(m.committed, dropped) })
}

// recordAttempt records the texts of the next batch before it is appended.
func (s *history) recordAttempt(t *testing.T, j *Journal, texts []string) {
	t.Helper()
	j.writer.mu.Lock()
	c := j.cond.enter()
	err := j.writer.ready(&c) // otherwise the first Append does this, and the next number is known only then
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
	s.update(func(m *checkpoint) { m.attempted = max(m.attempted, first+uint64(len(texts))-1) })
}

// nextNumber returns the first number of the next batch.
func nextNumber(j *Journal) uint64 {
	if n := len(j.index.segments); n > 0 && j.writer.active == nil && j.index.segments[n-1].first == j.index.Next {
		return j.index.Next + 1
	}
	return j.index.Next
}

// TestCrashAtEachStep kills the process, or cuts the power, at each step of the journal on the
// file system, and once more at a random step of the next start.
func TestCrashAtEachStep(t *testing.T) {
	for _, policy := range []Fsync{FsyncInterval, FsyncAlways, FsyncNever} {
		for seed := range int64(scale(2, 40)) {
			t.Run(fmt.Sprintf("policy %d seed %d", policy, seed), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewSource(seed))
				s := randomOperations(t, rng, policy)
				for n := range len(s.fs.Ops) + 1 {
					s.checkCrashes(t, n, policy, rng)
					if t.Failed() {
						return
					}
				}
			})
		}
	}
}

// checkCrashes checks the journal after a kill and after power cuts at step n.
func (s *history) checkCrashes(t *testing.T, n int, policy Fsync, rng *rand.Rand) {
	done, limit := s.at(n), scale(8, 64)
	s.check(t, fmt.Sprintf("killed at %d", n), memfs.Killed(s.fs.Ops, n, segment.Suffix, rng), done, policy, false)
	for i, fs := range memfs.PowerCuts(s.fs.Ops, n, limit, rng) {
		label := fmt.Sprintf("power cut %d at %d", i, n)
		again := fs.Clone().Settled()
		s.check(t, label, fs, done, policy, true)
		if i > 0 {
			continue
		}
		before := len(again.Ops)
		restart(t, again, policy)
		m := before + rng.Intn(len(again.Ops)-before+1)
		for i, fs := range memfs.PowerCuts(again.Ops, m, limit, rng) {
			s.check(t, fmt.Sprintf("%s, and %d at %d of the start", label, i, m-before), fs, done, policy, true)
		}
	}
	// After a kill, the next process reads data that is not yet on the disk.
	after := memfs.Killed(s.fs.Ops, n, segment.Suffix, rng)
	before := len(after.Ops)
	synced := restart(t, after, policy)
	m := before + rng.Intn(len(after.Ops)-before+1)
	// A kill between a failed fsync and the record of this failure makes the next process
	// treat the data as durable: see doc.go.
	failureNoted := n == 0 || s.fs.Ops[n-1].Kind != memfs.Lost
	if m == len(after.Ops) && failureNoted {
		done.synced = max(done.synced, min(synced, done.appended))
	}
	label := fmt.Sprintf("killed at %d and at %d of the start", n, m-before)
	s.check(t, label, memfs.Killed(after.Ops, m, segment.Suffix, rng), done, policy, false)
	for i, fs := range memfs.PowerCuts(after.Ops, m, limit, rng) {
		s.check(t, fmt.Sprintf("killed at %d, and power cut %d at %d of the start", n, i, m-before), fs, done, policy, true)
	}
}

// restart opens and abandons the journal, and returns the highest number reported as synced.
func restart(t *testing.T, fs *memfs.FS, policy Fsync) (synced uint64) {
	t.Helper()
	opts := manualOptions(fs)
	opts.Fsync = policy
	j := open(t, "/j", opts)
	defer abandon(j)
	firstUse(t, j)
	return j.Stats().Synced
}
