// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// A process uses two inboxes with one journal, as two receivers do. The test interleaves the
// steps of the receivers at random, and records what a kill would leave at each step.
type process struct {
	t       *testing.T
	rng     *rand.Rand
	fs      *memfs.FS
	opts    journal.Options
	j       *journal.Journal
	sides   [2]*side
	moments []moment // nil if nothing is recorded
}

// A side is the receiver of one inbox.
type side struct {
	name     string
	path     string
	b        *Inbox
	received int  // batches that were ever in the inbox
	next     step // of the current batch
}

// A step is what a receiver does next. Other receivers may do any of their steps before it.
type step int

const (
	receive step = iota
	save
	begin
	appendBatch
	clearBatch
	advance
)

// A moment is what a process leaves if it is killed at that time.
type moment struct {
	ops      int       // steps of the journal on its file system
	files    [2][]byte // the inboxes
	received [2]int
}

const memoryBytes = 64

// newProcess starts a process with the files that a killed process has left.
func newProcess(t *testing.T, dir string, rng *rand.Rand, fs *memfs.FS, opts journal.Options, left moment) *process {
	t.Helper()
	p := &process{t: t, rng: rng, fs: fs, opts: opts}
	for i := range p.sides {
		s := &side{name: string(rune('a' + i)), received: left.received[i]}
		s.path = filepath.Join(dir, s.name)
		if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if left.files[i] != nil {
			write(t, s.path, left.files[i])
		}
		p.sides[i] = s
	}
	p.start()
	return p
}

// start opens the files, and finds out which batches are not journaled.
func (p *process) start() {
	p.t.Helper()
	p.opts.FS = p.fs
	var err error
	if p.j, err = journal.Open("/j", p.opts); err != nil {
		p.t.Fatal(err)
	}
	for _, s := range p.sides {
		s.b, _ = openInbox(p.t, s.path, memoryBytes)
		if p.mark(); s.b.LoadSnapshot(0) == nil {
			s.saveSnapshot(0)
		}
		journaled := s.b.Settle(p.j.Recovered())
		next := s.b.Generation()
		if journaled {
			next++
		}
		if got, want := binary.NativeEndian.Uint64(s.b.LoadSnapshot(next)), len(p.journaled()[s.name]); got != uint64(want) {
			p.t.Errorf("inbox %s: the snapshot is that after batch %d, the journal has %d", s.name, got, want)
		}
		switch s.next = receive; {
		case journaled:
			s.next = clearBatch
		case s.b.Memory()[0] != 0:
			s.next = save
		}
		p.mark()
	}
}

// stop ends the process in an orderly way.
func (p *process) stop() {
	p.t.Helper()
	if err := p.j.Close(); err != nil {
		p.t.Fatal(err)
	}
	for _, s := range p.sides {
		if err := s.b.Close(); err != nil {
			p.t.Fatal(err)
		}
		s.b = nil
	}
}

func (s *side) saveSnapshot(batches int) {
	s.b.SaveSnapshot(s.b.Generation()+uint64(min(batches, 1)), binary.NativeEndian.AppendUint64(nil, uint64(batches)))
}

// mark records the present moment, and the moment before the last change of an inbox.
func (p *process) mark() {
	if p.moments == nil {
		return
	}
	m := moment{ops: len(p.fs.Ops)}
	for i, s := range p.sides {
		m.received[i] = s.received
		if s.b == nil {
			m.files[i], _ = os.ReadFile(s.path)
		} else {
			m.files[i] = slices.Clone(s.b.mapping)
		}
	}
	if n := len(p.moments); n > 0 && p.moments[n-1].ops != m.ops {
		before := p.moments[n-1]
		before.ops = m.ops
		p.moments = append(p.moments, before)
	}
	p.moments = append(p.moments, m)
}

// run does steps until each side has received most batches and is empty.
func (p *process) run(most int) {
	p.t.Helper()
	for {
		var busy []*side
		for _, s := range p.sides {
			if s.next != receive || s.received < most {
				busy = append(busy, s)
			}
		}
		if len(busy) == 0 {
			return
		}
		p.do(busy[p.rng.Intn(len(busy))], most)
	}
}

// do does the next step of s.
func (p *process) do(s *side, most int) {
	memory := s.b.Memory()
	switch s.next {
	case receive:
		text := fmt.Sprint(s.name, s.received+1)
		copy(memory[1:], text)
		p.mark()
		memory[0] = byte(len(text))
		s.received++
	case save:
		s.saveSnapshot(s.received)
	case begin:
		s.beginAppend(p)
	case appendBatch:
		if p.append(s, most) != nil {
			s.next = begin
			p.mark()
			return
		}
	case clearBatch:
		memory[0] = 0
	case advance:
		s.b.Advance()
	}
	s.next = (s.next + 1) % (advance + 1)
	p.mark()
}

// beginAppend is BeginAppend, and records the moment between its two steps.
func (s *side) beginAppend(p *process) {
	before := s.b.header.assignedFor.Load()
	s.b.BeginAppend()
	after := s.b.header.assignedFor.Swap(before)
	p.mark()
	s.b.header.assignedFor.Store(after)
}

// append appends the batch of s. Steps of the file system may fail, and the other side may
// do steps meanwhile, except append.
func (p *process) append(s *side, most int) error {
	other := p.sides[0]
	if s == other {
		other = p.sides[1]
	}
	failures := p.rng.Intn(8) - 5
	p.fs.Fail = func(o memfs.Op) error {
		if o.Kind >= memfs.Read {
			return nil
		}
		p.mark()
		for p.rng.Intn(4) == 0 && other.next != appendBatch && (other.next != receive || other.received < most) {
			p.do(other, most)
		}
		if failures > 0 && strings.HasSuffix(o.Name, segment.Suffix) && p.rng.Intn(2) == 0 {
			failures--
			return unix.EIO
		}
		return nil
	}
	defer func() { p.fs.Fail = nil }()
	err := p.j.Append(&s.b.header.assigned, time.Unix(1, 0), [][]byte{s.b.Memory()[1:][:s.b.Memory()[0]]})
	if err != nil && (!errors.Is(err, unix.EIO) || s.b.header.assigned.Load() != 0) {
		p.t.Errorf("%v, generation %d", err, s.b.header.assigned.Load())
	}
	return err
}

// journaled returns the batches in the journal by the name of their side.
func (p *process) journaled() map[string][]string {
	p.t.Helper()
	texts := map[string][]string{}
	err := p.j.Visit(1, func(r segment.Record) uint64 {
		name := string(r.Data[:1])
		texts[name] = append(texts[name], string(r.Data[1:]))
		return r.Seq + 1
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return texts
}

// check requires that the journal contains each received batch once, in order.
func (p *process) check() {
	p.t.Helper()
	texts := p.journaled()
	for _, s := range p.sides {
		var want []string
		for i := range s.received {
			want = append(want, fmt.Sprint(i+1))
		}
		if got := texts[s.name]; !slices.Equal(got, want) {
			p.t.Errorf("inbox %s has received the batches %q, the journal has %q", s.name, want, got)
		}
	}
}

// TestKillAtEachStepJournalsEachBatchOnce kills a process with two inboxes at each step, and
// the next process too.
func TestKillAtEachStepJournalsEachBatchOnce(t *testing.T) {
	seeds := int64(4)
	if os.Getenv("GENLTESTD_SOAK") != "" {
		seeds = 300
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			rng := rand.New(rand.NewSource(seed))
			opts := journal.Options{SegmentBytes: 300, SyncInterval: time.Hour, CommitInterval: time.Hour}
			if seed%2 == 0 {
				opts.Fsync = journal.FsyncAlways
			}
			p := newProcess(t, dir, rng, memfs.New(), opts, moment{})
			p.moments = []moment{}
			p.run(2)
			p.stop()
			p.start()
			p.run(3)
			p.check()
			p.stop()
			for i, m := range p.moments {
				next := newProcess(t, dir, rng, memfs.Killed(p.fs.Ops, m.ops, segment.Suffix, rng), opts, m)
				next.moments = []moment{}
				next.run(4)
				next.check()
				next.stop()
				for range 3 {
					k := rng.Intn(len(next.moments))
					m := next.moments[k]
					last := newProcess(t, dir, rng, memfs.Killed(next.fs.Ops, m.ops, segment.Suffix, rng), opts, m)
					last.run(0)
					last.check()
					last.stop()
					if t.Failed() {
						t.Fatalf("killed at moment %d, the next process at moment %d", i, k)
					}
				}
			}
		})
	}
}
