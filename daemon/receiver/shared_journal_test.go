// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"fmt"
	"log/slog"
	"math/rand"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/genl"
	inboxes "github.com/genltestd/genltestd/daemon/inbox"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
	"github.com/genltestd/genltestd/internal/tmpfs"
	"github.com/genltestd/genltestd/metrics"
)

// A sharing is a process with a receiver for each of the sharers. Its steps are interleaved
// at random. It records what a kill would leave at each step.
type sharing struct {
	t        *testing.T
	rng      *rand.Rand
	dir      string
	fs       *memfs.FS
	j        *journal.Journal
	families []*sharer
	moments  []sharingMoment // nil if nothing is recorded

	step atomic.Pointer[func()] // called before each step that changes a file, unless it is nil
}

type sharer struct {
	*Receiver
	target genl.Target
	path   string // of the inbox
	inbox  *inboxes.Inbox
	sent   []genl.Message
	texts  []string // of the events in sent, with their groups
	taken  int      // messages that the kernel has copied into the inbox
	full   bool     // the inbox contains a batch
}

// A sharingMoment is what a process leaves if it is killed at that time.
type sharingMoment struct {
	ops   int // steps of the journal on its file system
	files []map[int64][]byte
	taken []int
}

// newSharing starts a process from the moment m at which another was killed.
func newSharing(t *testing.T, dir string, rng *rand.Rand, fs *memfs.FS, m *sharingMoment) *sharing {
	t.Helper()
	s := &sharing{t: t, rng: rng, dir: dir, fs: fs}
	// Set before the journal's own goroutine uses the file system.
	fs.Fail = func(o memfs.Op) error {
		if step := s.step.Load(); step != nil && o.Kind < memfs.Read {
			(*step)()
		}
		return nil
	}
	var err error
	s.j, err = journal.Open("/j", journal.Options{FS: fs, SegmentBytes: 3000, SyncInterval: time.Hour, CommitInterval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for i := range sharers {
		f := &sharer{target: genl.Target{Family: sharers[i].name}, path: filepath.Join(dir, sharers[i].name)}
		if i == 0 {
			f.target = genl.Genltest
		}
		f.multicast(i)
		s.families = append(s.families, f)
		if m == nil {
			continue
		}
		f.taken = m.taken[i]
		writePages(t, f.path, int64(pageBytes+genl.BatchBytes(f.target)), m.files[i])
	}
	for i := range s.families {
		s.start(i)
	}
	return s
}

// start starts a receiver. The kernel has stored its socket.
func (s *sharing) start(i int) {
	s.t.Helper()
	f, ids := s.families[i], sharers[i].ids
	k := &fakeKernel{IDs: ids, Others: map[string]genl.FamilyIDs{f.target.Family: ids}, Queue: 1}
	if _, _, err := k.Open(f.target, 0, nil); err != nil {
		s.t.Fatal(err)
	}
	k.Stored = k.Socket()
	k.Stored.Groups, k.Stored.InQueue = numbersOf(ids.Groups), 1
	in, fresh, err := inboxes.Open(f.path, genl.BatchBytes(f.target))
	if err != nil {
		s.t.Fatal(err)
	}
	f.inbox = in
	o := Options{
		Target: f.target, Kernel: k, Journal: s.j, Inbox: markingInbox{in, s.mark}, FreshInbox: fresh,
		Metrics: metrics.NewReception(prometheus.NewRegistry(), metrics.ReceptionConfig{Family: f.target.Family, Group: "x"}),
		Log:     slog.New(slog.DiscardHandler),
	}
	if f.Receiver, err = New(o); err != nil {
		s.t.Fatal(err)
	}
	f.full = f.holdsBatch()
	s.mark()
}

// mark records the present moment.
func (s *sharing) mark() {
	if s.moments == nil {
		return
	}
	m := sharingMoment{ops: len(s.fs.Ops)}
	for _, f := range s.families {
		m.taken = append(m.taken, f.taken)
		m.files = append(m.files, readPages(s.t, f.path))
	}
	s.moments = append(s.moments, m)
}

// run does steps until all messages are received.
func (s *sharing) run() {
	s.t.Helper()
	for {
		var busy []*sharer
		for _, f := range s.families {
			if f.full || f.taken < len(f.sent) {
				busy = append(busy, f)
			}
		}
		if len(busy) == 0 {
			return
		}
		f := busy[s.rng.Intn(len(busy))]
		if f.full {
			s.journal(f)
		} else {
			s.take(f)
		}
	}
}

// take copies messages into the inbox, as the kernel does.
func (s *sharing) take(f *sharer) {
	n := min(1+s.rng.Intn(3), len(f.sent)-f.taken)
	f.batch.Put(f.sent[f.taken:][:n]...)
	f.taken, f.full = f.taken+n, true
	s.mark()
}

// journal lets the receiver handle its batch. Other receivers get messages meanwhile.
func (s *sharing) journal(f *sharer) {
	s.t.Helper()
	step := func() {
		s.mark()
		if other := s.families[s.rng.Intn(len(s.families))]; !other.full && other.taken < len(other.sent) {
			s.take(other)
		}
	}
	s.step.Store(&step)
	defer s.step.Store(nil)
	var err error
	if f.holdsBatch() {
		err = f.journalPending(s.t.Context())
	} else {
		err = f.handle(s.t.Context(), f.batch.Pending())
	}
	if err != nil {
		s.t.Fatal(err)
	}
	f.full = false
	s.mark()
}

// check requires that each event is in the journal once, in the order of its family, and
// that nothing counts as lost.
func (s *sharing) check() {
	s.t.Helper()
	got := map[string][]string{}
	err := s.j.Visit(1, func(r segment.Record) uint64 {
		family, group, data := genl.FamilyName, genl.GroupName, r.Data
		if genl.IsMulticast(data) {
			m, err := genl.DecodeMulticast(data)
			if err != nil {
				s.t.Error(err)
			}
			family, group, data = m.Family, m.Group, m.Message
		}
		fields, err := genl.Decode(data)
		if err != nil || genl.IsGap(r.Data) {
			s.t.Errorf("record %d is not an event: %x, %v", r.Seq, r.Data, err)
		}
		text := group + " " + string(fields.Message)
		if family == genl.FamilyName {
			text += fmt.Sprintf(" %d", fields.KernelSeq)
		}
		got[family] = append(got[family], text)
		return r.Seq + 1
	})
	if err != nil {
		s.t.Error(err)
	}
	want := map[string][]string{}
	for _, f := range s.families {
		want[f.target.Family] = f.texts
		if n := f.Received(); n != uint64(len(f.texts)) {
			s.t.Errorf("%s: received %d, want %d", f.target.Family, n, len(f.texts))
		}
		for why, n := range f.ledger.Lost {
			if n != 0 {
				s.t.Errorf("%s: %d lost, reason %s", f.target.Family, n, reasonNames[why])
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("events by family (-want +got):\n%s", diff)
	}
}

// stop releases the resources of a process.
func (s *sharing) stop() {
	s.t.Helper()
	s.moments = nil
	for _, f := range s.families {
		if err := f.inbox.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := s.j.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// TestKilledReceiversOfOneJournalJournalEachEventOnce kills a process with three receivers at
// each step, and some of the next processes too.
func TestKilledReceiversOfOneJournalJournalEachEventOnce(t *testing.T) {
	seeds := int64(2)
	if os.Getenv("GENLTESTD_SOAK") != "" {
		seeds = 200
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng, dir := rand.New(rand.NewSource(seed)), tmpfs.Shared(t)
			kill := func(fs *memfs.FS, m *sharingMoment) *sharing {
				return newSharing(t, dir, rng, memfs.Killed(fs.Ops, m.ops, segment.Suffix, rng), m)
			}
			s := newSharing(t, tmpfs.Shared(t), rng, memfs.New(), nil)
			s.moments = []sharingMoment{}
			s.run()
			s.check()
			moments := s.moments
			s.stop()
			for i := range moments {
				next := kill(s.fs, &moments[i])
				if again := i%20 == int(seed); again {
					next.moments = []sharingMoment{}
				}
				next.run()
				next.check()
				later := next.moments
				next.stop()
				if len(later) > 0 {
					last := kill(next.fs, &later[rng.Intn(len(later))])
					last.run()
					last.check()
					last.stop()
				}
				if t.Failed() {
					t.Fatalf("killed at moment %d of %d", i, len(moments))
				}
			}
		})
	}
}
