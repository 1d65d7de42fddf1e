// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/fakekernel"
	"github.com/genltestd/genltestd/internal/kernelmsg"
	"github.com/genltestd/genltestd/metrics"
)

// fakeKernel has one family that can be registered and unregistered, and sockets that can
// fail.
type fakeKernel = fakekernel.Kernel[Socket]

var _ Kernel = (*fakeKernel)(nil)

// newKernel returns a kernel with that family, which is not registered if ids is zero.
func newKernel(ids genl.FamilyIDs) *fakeKernel { return &fakeKernel{IDs: ids, Queue: 100} }

var (
	first  = fakekernel.GenltestIDs(34, 9)
	second = fakekernel.GenltestIDs(35, 10)
)

// unnumbered returns an event without a number.
func unnumbered(id uint16, text string) genl.Message {
	return genl.Message{Data: kernelmsg.EventOf(id, kernelmsg.Text(text))}
}

// numbered returns an event of the module with the text "x".
func numbered(id uint16, load, seq uint64) genl.Message {
	return genl.Message{Data: kernelmsg.EventOf(id, kernelmsg.Text("x"), kernelmsg.Seq(seq), kernelmsg.LoadID(load))}
}

func registered(ids genl.FamilyIDs) genl.Message {
	groups := map[string]uint32{genl.GroupName: ids.Groups[0].ID}
	return genl.Message{Data: kernelmsg.Notification(unix.CTRL_CMD_NEWFAMILY, genl.FamilyName, ids.ID, groups)}
}

func unregistered(ids genl.FamilyIDs) genl.Message {
	return genl.Message{Data: kernelmsg.Notification(unix.CTRL_CMD_DELFAMILY, genl.FamilyName, ids.ID, nil)}
}

// recorder is a journal that stores the texts of its records.
type recorder struct {
	mu         sync.Mutex
	texts      []string
	generation uint64 // of the last batch
	err        error  // returned by Append
	newest     []genl.Message
}

func (j *recorder) Recovered() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.generation
}

func (j *recorder) Append(generation *atomic.Uint64, _ time.Time, records [][]byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	j.generation++
	generation.Store(j.generation)
	for _, r := range records {
		if genl.IsGap(r) {
			gap, err := genl.DecodeGap(r)
			if err != nil {
				return err
			}
			j.texts = append(j.texts, fmt.Sprintf("%d lost: %s %d-%d", gap.Count, gap.Reason, gap.First, gap.Last))
			continue
		}
		if genl.IsMulticast(r) {
			m, err := genl.DecodeMulticast(r)
			if err != nil {
				return err
			}
			j.texts = append(j.texts, fmt.Sprintf("%s/%s: %s", m.Family, m.Group, m.Message[min(20, len(m.Message)):]))
			continue
		}
		fields, err := genl.Decode(r)
		if err != nil {
			return err
		}
		text := string(fields.Message)
		if genl.IsCanary(r) {
			text = "canary: " + text
		}
		j.texts = append(j.texts, text)
	}
	return nil
}

func (j *recorder) Tail(visit func([]byte) bool) error {
	for i := range j.newest {
		visit(j.newest[i].Data)
	}
	return nil
}

// A discardingJournal stores no records.
type discardingJournal struct{}

func (discardingJournal) Append(*atomic.Uint64, time.Time, [][]byte) error { return nil }

func (discardingJournal) Recovered() uint64 { return 0 }

func (discardingJournal) Tail(func([]byte) bool) error { return nil }

// inbox is an Inbox in memory.
type inbox struct {
	memory      []byte
	generation  atomic.Uint64
	assigned    atomic.Uint64 // by the journal, to the batch of that generation
	assignedFor uint64
	snapshots   map[uint64][]byte
	latest      uint64
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	memory, err := unix.Mmap(-1, 0, genl.BatchBytes(genl.Target{}), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(memory); err != nil {
			t.Error(err)
		}
	})
	return &inbox{memory: memory, snapshots: map[uint64][]byte{}}
}

func (b *inbox) Memory() []byte { return b.memory }

func (b *inbox) Generation() uint64 { return b.generation.Load() }

func (b *inbox) BeginAppend() *atomic.Uint64 {
	b.assigned.Store(0)
	b.assignedFor = b.Generation()
	return &b.assigned
}

func (b *inbox) Settle(recovered uint64) (journaled bool) {
	g := b.assigned.Load()
	return b.assignedFor == b.Generation() && g != 0 && g <= recovered
}

func (b *inbox) Advance() { b.generation.Add(1) }

func (b *inbox) SaveSnapshot(generation uint64, snapshot []byte) {
	b.latest = generation
	b.snapshots[generation] = slices.Clone(snapshot)
}

func (b *inbox) LoadSnapshot(generation uint64) []byte {
	if snapshot := b.snapshots[generation]; snapshot != nil {
		return snapshot
	}
	return b.snapshots[b.latest]
}

// An inboxWithoutSnapshots does not store snapshots.
type inboxWithoutSnapshots struct{ Inbox }

func (inboxWithoutSnapshots) SaveSnapshot(uint64, []byte) {}

type fixture struct {
	*Receiver
	kernel  *fakeKernel
	journal *recorder
	inbox   *inbox
	m       *metrics.Reception
	cancel  context.CancelFunc
	stop    func()
}

// options returns the options of a new receiver.
func options(k *fakeKernel, j Journal, in *inbox) Options {
	var reasons []string
	for _, v := range genl.Refusals() {
		reasons = append(reasons, v.String())
	}
	return Options{
		Target: genl.Genltest, Kernel: k, Journal: j, Inbox: in, FreshInbox: in.Generation() == 0,
		Metrics: metrics.NewReception(prometheus.NewRegistry(), metrics.ReceptionConfig{
			Family: "genltest", Group: "mcgrp", Refusals: reasons,
		}),
		BufferBytes: 1 << 20, Log: slog.New(slog.DiscardHandler),
	}
}

func start(t *testing.T, k *fakeKernel) fixture {
	t.Helper()
	return startWith(t, k, &recorder{}, newInbox(t))
}

// startWith starts a receiver with an existing journal and inbox.
func startWith(t *testing.T, k *fakeKernel, j *recorder, in *inbox) fixture {
	t.Helper()
	return startOptions(t, options(k, j, in))
}

func startOptions(t *testing.T, o Options) fixture {
	t.Helper()
	k, j, in := o.Kernel.(*fakeKernel), o.Journal.(*recorder), o.Inbox.(*inbox)
	f := fixture{kernel: k, journal: j, inbox: in, m: o.Metrics}
	var err error
	f.Receiver, err = New(o)
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, f.cancel = context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	f.stop = func() {
		f.cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	return f
}

func (f fixture) want(t *testing.T, texts ...string) {
	t.Helper()
	synctest.Wait()
	f.journal.mu.Lock()
	defer f.journal.mu.Unlock()
	if diff := cmp.Diff(texts, f.journal.texts); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

func (f fixture) send(messages ...genl.Message) { f.kernel.Socket().Send(messages...) }
