// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/metrics"
)

// A fakeKernel has one family that can be registered and unregistered, and sockets that
// can fail.
type fakeKernel struct {
	mu      sync.Mutex
	ids     genl.FamilyIDs // zero while the family is absent
	openErr error
	opening func() // called in the middle of Open
	sockets []*fakeSocket
	kept    *fakeSocket // returned by the next Open
}

func (k *fakeKernel) Open(bufferBytes int, batch *genl.Batch) (Socket, genl.SocketReport, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.opening != nil {
		k.opening()
	}
	if k.openErr != nil {
		return nil, genl.SocketReport{}, k.openErr
	}
	if s := k.kept; s != nil {
		k.kept = nil
		k.sockets = append(k.sockets, s)
		return s, s.grant(bufferBytes), nil
	}
	s := &fakeSocket{
		queue: make(chan []genl.Message, 100), failed: make(chan error, 1), wake: make(chan struct{}, 1),
		cookie: uint64(len(k.sockets) + 1),
	}
	k.sockets = append(k.sockets, s)
	return s, s.grant(bufferBytes), nil
}

func (k *fakeKernel) Resolve() (genl.Registry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return genl.Registry{Family: k.ids, Free: [2]uint32{20, 21}}, nil
}

func (k *fakeKernel) set(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
}

func (k *fakeKernel) socket() *fakeSocket {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sockets[len(k.sockets)-1]
}

type fakeSocket struct {
	queue  chan []genl.Message
	failed chan error
	wake   chan struct{}
	cookie uint64

	beforeHandle func() // called when messages were removed from the queue
	beforeJoin   func() // called before a group is joined

	mu          sync.Mutex
	groups      []uint32
	drops       uint32
	notified    uint32
	queued      uint32
	interrupted bool
	closed      bool
	buffer      int   // requested
	bufferErr   error // of SetBuffer
	limited     error // why the buffer is smaller
	joinErr     error // of SetGroups
}

func (s *fakeSocket) Receive(handle func([]genl.Message) error) error {
	for {
		messages, err := s.next()
		if err != nil {
			return err
		}
		if s.beforeHandle != nil {
			s.beforeHandle()
		}
		if err := handle(messages); err != nil {
			return err
		}
	}
}

// next removes the oldest batch from the queue. Like the real socket, it returns
// ErrDeadlineExceeded only if the queue is empty.
func (s *fakeSocket) next() ([]genl.Message, error) {
	for {
		select {
		case messages := <-s.queue:
			return messages, nil
		default:
		}
		s.mu.Lock()
		interrupted := s.interrupted
		s.mu.Unlock()
		if interrupted {
			return nil, os.ErrDeadlineExceeded
		}
		select {
		case messages := <-s.queue:
			return messages, nil
		case err := <-s.failed:
			return nil, err
		case <-s.wake:
		}
	}
}

func (s *fakeSocket) Interrupt() error {
	s.set(func() { s.interrupted = true })
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

func (s *fakeSocket) Resume(most time.Duration) error {
	s.set(func() { s.interrupted = most != 0 })
	return nil
}

func (s *fakeSocket) SetGroups(groups ...uint32) (joined []uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range groups {
		if !slices.Contains(s.groups, g) {
			joined = append(joined, g)
		}
	}
	if s.beforeJoin != nil && len(joined) > 0 {
		s.beforeJoin()
	}
	if s.joinErr != nil {
		return nil, s.joinErr
	}
	s.groups = groups
	return joined, nil
}

func (s *fakeSocket) SetBuffer(bytes int) (genl.SocketReport, error) {
	if s.bufferErr != nil {
		return genl.SocketReport{}, s.bufferErr
	}
	return s.grant(bytes), nil
}

func (s *fakeSocket) grant(bytes int) genl.SocketReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffer = bytes
	if s.limited != nil {
		return genl.SocketReport{BufferBytes: 1024, Limited: s.limited}
	}
	return genl.SocketReport{BufferBytes: 2 * bytes}
}

func (s *fakeSocket) bufferBytes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buffer
}

func (s *fakeSocket) Cookie() (uint64, error) { return s.cookie, nil }

func (s *fakeSocket) Drops() (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drops, nil
}

func (s *fakeSocket) Notifications() (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notified, nil
}

func (s *fakeSocket) Queued() (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queued, nil
}

func (s *fakeSocket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func (s *fakeSocket) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// recorder is a journal that stores the texts of its records.
type recorder struct {
	mu         sync.Mutex
	texts      []string
	generation uint64
	err        error // what Append returns
	newest     []byte
}

func (j *recorder) LastGeneration() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.generation
}

func (j *recorder) Append(generation uint64, _ time.Time, records [][]byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	if generation != j.generation+1 {
		return fmt.Errorf("generation %d after %d", generation, j.generation)
	}
	j.generation = generation
	for _, r := range records {
		if genl.IsGap(r) {
			gap, err := genl.DecodeGap(r)
			if err != nil {
				return err
			}
			j.texts = append(j.texts, fmt.Sprintf("%d lost: %s %d-%d", gap.Count, gap.Reason, gap.First, gap.Last))
			continue
		}
		fields, err := genl.Decode(r)
		if err != nil {
			return err
		}
		j.texts = append(j.texts, string(fields.Message))
	}
	return nil
}

func (j *recorder) Tail(visit func([]byte)) error {
	if j.newest != nil {
		visit(j.newest)
	}
	return nil
}

// inbox is an Inbox in memory.
type inbox struct {
	memory     []byte
	generation atomic.Uint64
	snapshots  map[uint64][]byte
	latest     uint64
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	memory, err := unix.Mmap(-1, 0, genl.BatchBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
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

func (b *inbox) Memory() []byte         { return b.memory }
func (b *inbox) Generation() uint64     { return b.generation.Load() }
func (b *inbox) SetGeneration(g uint64) { b.generation.Store(g) }

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

type fixture struct {
	*Receiver
	kernel  *fakeKernel
	journal *recorder
	inbox   *inbox
	m       *metrics.Reception
	cancel  context.CancelFunc
	stop    func()
}

func start(t *testing.T, k *fakeKernel) fixture {
	t.Helper()
	return startWith(t, k, &recorder{}, newInbox(t))
}

// options returns the options of a new receiver.
func options(k *fakeKernel, j Journal, in *inbox) Options {
	var reasons []string
	for _, v := range genl.Refusals() {
		reasons = append(reasons, v.String())
	}
	return Options{
		Kernel: k, Journal: j, Inbox: in, FreshInbox: in.Generation() == 0,
		Metrics: metrics.NewReception(prometheus.NewRegistry(), "genltest", "mcgrp", reasons), BufferBytes: 1 << 20, Log: slog.New(slog.DiscardHandler),
	}
}

// startWith starts a receiver with an existing journal and inbox.
func startWith(t *testing.T, k *fakeKernel, j *recorder, in *inbox) fixture {
	t.Helper()
	o := options(k, j, in)
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

func attr(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofNlAttr+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	for len(b)%unix.NLA_ALIGNTO != 0 {
		b = append(b, 0)
	}
	return b
}

func message(id uint16, cmd, version uint8, attrs ...[]byte) genl.Message {
	b := make([]byte, 20)
	binary.NativeEndian.PutUint16(b[4:], id)
	b[16], b[17] = cmd, version
	for _, a := range attrs {
		b = append(b, a...)
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	return genl.Message{Data: b}
}

func anEvent(id uint16, text string) genl.Message {
	return message(id, 1, 1, attr(1, append([]byte(text), 0)))
}

func registered(ids genl.FamilyIDs) genl.Message {
	group := append(attr(unix.CTRL_ATTR_MCAST_GRP_NAME, []byte("mcgrp\x00")),
		attr(unix.CTRL_ATTR_MCAST_GRP_ID, binary.NativeEndian.AppendUint32(nil, ids.Group))...)
	return message(unix.GENL_ID_CTRL, unix.CTRL_CMD_NEWFAMILY, 2, family(ids),
		attr(unix.CTRL_ATTR_MCAST_GROUPS|unix.NLA_F_NESTED, attr(1|unix.NLA_F_NESTED, group)))
}

func unregistered(ids genl.FamilyIDs) genl.Message {
	return message(unix.GENL_ID_CTRL, unix.CTRL_CMD_DELFAMILY, 2, family(ids))
}

func family(ids genl.FamilyIDs) []byte {
	return append(attr(unix.CTRL_ATTR_FAMILY_NAME, []byte("genltest\x00")),
		attr(unix.CTRL_ATTR_FAMILY_ID, binary.NativeEndian.AppendUint16(nil, ids.ID))...)
}

func (f fixture) send(messages ...genl.Message) { f.kernel.socket().queue <- messages }

var (
	first  = genl.FamilyIDs{ID: 34, Group: 9}
	second = genl.FamilyIDs{ID: 35, Group: 10}
)

func TestEventsReachTheJournalInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &fakeKernel{ids: first})
		f.send(anEvent(34, "a"), anEvent(34, "b"))
		f.send(anEvent(34, "c"))
		f.want(t, "a", "b", "c")
		if got := testutil.ToFloat64(f.m.Received); got != 3 {
			t.Errorf("received = %v", got)
		}
		f.stop()
		if s := f.kernel.socket(); !s.closed {
			t.Error("the socket was left open")
		}
	})
}

func TestForeignMessagesAreRefusedByReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &fakeKernel{ids: first})
		forged := anEvent(34, "forged")
		forged.Sender = 4711
		cut := anEvent(34, "cut")
		cut.Truncated = true
		f.send(anEvent(34, "a"), forged, anEvent(33, "foreign"), cut, message(34, 2, 1), message(34, 1, 9),
			genl.Message{Data: []byte("garbage")}, message(34, 1, 1), anEvent(34, "b"))
		f.want(t, "a", "b")
		want := map[string]float64{"sender": 1, "family": 1, "truncated": 1, "command": 1, "version": 1, "malformed": 2}
		for reason, n := range want {
			if got := testutil.ToFloat64(f.m.Refused.WithLabelValues(reason)); got != n {
				t.Errorf("refused for %s = %v, want %v", reason, got, n)
			}
		}
		f.stop()
	})
}

func TestReloadIsFollowedInOrderWithTheEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &fakeKernel{ids: first})
		f.kernel.set(func() { f.kernel.ids = second })
		f.send(anEvent(34, "before"), unregistered(first), anEvent(34, "stale"), registered(second), anEvent(35, "after"))
		f.want(t, "before", "after")
		s := f.kernel.socket()
		if diff := cmp.Diff([]uint32{10}, s.groups); diff != "" {
			t.Errorf("groups joined (-want +got):\n%s", diff)
		}
		if got := testutil.ToFloat64(f.m.Registrations); got != 2 {
			t.Errorf("registrations = %v", got)
		}
		f.stop()
	})
}

func TestAbsentFamilyIsAttachedWhenItAppears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &fakeKernel{})
		if f.Subscribed() {
			t.Error("subscribed without a family")
		}
		f.send(anEvent(34, "of another family"))
		synctest.Wait()
		f.kernel.set(func() { f.kernel.ids = first })
		f.send(registered(first), anEvent(34, "a"))
		f.want(t, "a")
		if !f.Subscribed() || testutil.ToFloat64(f.m.Subscribed) != 1 {
			t.Error("not subscribed")
		}
		f.stop()
	})
}

func TestSubscribedIsFalseUntilTheGroupIsJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &fakeKernel{})
		early := false
		f.kernel.socket().beforeJoin = func() { early = f.Subscribed() }
		f.send(registered(first))
		synctest.Wait()
		if early || !f.Subscribed() {
			t.Errorf("subscribed before the group was joined: %v; after: %v", early, f.Subscribed())
		}
		f.stop()
	})
}

func TestEventsBeforeALikelyGroupIsJoinedAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		event := func(id uint16, load, seq uint64) genl.Message {
			number := func(n uint64) []byte { return binary.NativeEndian.AppendUint64(nil, n) }
			return message(id, 1, 1, attr(1, []byte{0}), attr(3, number(seq)), attr(5, number(load)))
		}
		f := start(t, &fakeKernel{ids: first})
		s := f.kernel.socket()
		f.send(event(34, 1, 1))
		synctest.Wait()
		f.kernel.set(func() { f.kernel.ids = genl.FamilyIDs{} })
		s.beforeJoin = func() {
			f.kernel.set(func() { f.kernel.ids = genl.FamilyIDs{ID: 35, Group: 20} }) // the first of Free
		}
		f.send(unregistered(first))
		synctest.Wait()
		s.beforeJoin = nil
		f.send(registered(genl.FamilyIDs{ID: 35, Group: 20}), event(35, 2, 181))
		synctest.Wait()
		f.stop()
		if n := testutil.ToFloat64(f.m.Lost.WithLabelValues(metrics.LostNotSubscribed)); n != 180 {
			t.Errorf("%v events lost as not subscribed, want 180; %v unexplained", n,
				testutil.ToFloat64(f.m.Lost.WithLabelValues(metrics.LostUnexplained)))
		}
	})
}

func TestAnotherFamilysEndChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &fakeKernel{ids: second})
		f.send(unregistered(first), anEvent(35, "a"))
		f.want(t, "a")
		f.stop()
	})
}

func TestDropsAreCountedExactlyAcrossTheWrap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &fakeKernel{ids: first})
		lost := func() float64 {
			return testutil.ToFloat64(f.m.Lost.WithLabelValues(metrics.LostKernelBuffer))
		}
		s := f.kernel.socket()
		s.set(func() { s.drops = 1<<32 - 2 })
		time.Sleep(2 * watchInterval)
		if lost() != 1<<32-2 {
			t.Errorf("lost = %v", lost())
		}
		s.set(func() { s.drops = 3 }) // five more
		f.stop()
		if lost() != 1<<32+3 {
			t.Errorf("lost = %v, want %v", lost(), float64(1<<32+3))
		}
	})
}

func TestALostNotificationIsCorrected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &fakeKernel{ids: first})
		s := f.kernel.socket()
		f.kernel.set(func() { f.kernel.ids = second })
		s.set(func() { s.drops, s.queued = 1, 500 })
		time.Sleep(5 * watchInterval)
		if f.Family() != first.ID {
			t.Error("the subscription was changed while the queue may contain events with the old id")
		}
		s.set(func() { s.queued = 0 })
		time.Sleep(3 * watchInterval)
		f.send(anEvent(35, "a"))
		f.want(t, "1 lost: kernel_buffer 0-0", "a")
		f.stop()
	})
}

func TestAFailedSocketIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &fakeKernel{ids: first})
		old := f.kernel.socket()
		old.set(func() { old.drops = 7 })
		f.kernel.set(func() { f.kernel.openErr = unix.EMFILE })
		old.failed <- fmt.Errorf("receive: %w", unix.EBADF)
		time.Sleep(5 * time.Second)
		if f.Subscribed() {
			t.Error("subscribed without a socket")
		}
		if err := f.CountDrops(); err != nil {
			t.Errorf("scrape without a socket: %v", err)
		}
		f.kernel.set(func() { f.kernel.openErr = nil })
		time.Sleep(time.Minute)
		f.send(anEvent(34, "a"))
		f.want(t, "7 lost: kernel_buffer 0-0", "a")
		if !old.closed {
			t.Error("the failed socket was left open")
		}
		if got := testutil.ToFloat64(f.m.Lost.WithLabelValues(metrics.LostKernelBuffer)); got != 7 {
			t.Errorf("drops of the failed socket: %v, want 7", got)
		}
		f.stop()
	})
}

func TestABatchThatHasLeftTheKernelIsKeptWhenTheDaemonStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &fakeKernel{ids: first})
		f.kernel.socket().beforeHandle = f.cancel
		f.send(anEvent(34, "a"))
		f.want(t, "a")
		f.stop()
	})
}

func TestABatchThatAKilledProcessLeftIsJournaledOnce(t *testing.T) {
	forged := anEvent(34, "forged")
	forged.Sender = 4711
	left := []genl.Message{unregistered(second), anEvent(34, "a"), forged, unregistered(first), anEvent(34, "stale"), registered(second), anEvent(35, "b")}
	for name, test := range map[string]struct {
		inInbox, inJournal uint64 // generations
		want               []string
	}{
		"killed before the append": {8, 7, []string{"a", "b"}},
		"killed after the append":  {7, 7, nil},
	} {
		t.Run(name, func(t *testing.T) {
			in := newInbox(t)
			batch, err := genl.NewBatch(in.memory)
			if err != nil {
				t.Fatal(err)
			}
			batch.Put(left...)
			in.SetGeneration(test.inInbox)
			for generation := range uint64(9) {
				numbers := (&ledger{Family: 34, Received: generation}).numbers()
				in.SaveSnapshot(generation, encode(make([]byte, snapshotLen(len(numbers))), numbers))
			}
			j := &recorder{generation: test.inJournal}
			// Twice, as if the second process was killed before it received.
			var o Options
			for range 2 {
				o = options(&fakeKernel{}, j, in)
				runOnce(t, o)
			}
			if got, want := testutil.ToFloat64(o.Metrics.Received), 8+float64(len(test.want)); got != want {
				t.Errorf("received = %v, want %v", got, want)
			}
			if diff := cmp.Diff(test.want, j.texts); diff != "" {
				t.Errorf("journal (-want +got):\n%s", diff)
			}
			if in.Generation() != j.generation+1 {
				t.Errorf("the inbox is at generation %d, the journal at %d", in.Generation(), j.generation)
			}
		})
	}
}

// runOnce runs a receiver that stops immediately.
func runOnce(t *testing.T, o Options) {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestABatchThatWasLeftWaitsForAJournalThatDoesNotAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox(t)
		batch, err := genl.NewBatch(in.memory)
		if err != nil {
			t.Fatal(err)
		}
		batch.Put(anEvent(34, "left"))
		in.SetGeneration(8)
		numbers := (&ledger{Family: 34}).numbers()
		in.SaveSnapshot(8, encode(make([]byte, snapshotLen(len(numbers))), numbers))
		f := startWith(t, &fakeKernel{ids: first}, &recorder{generation: 7, err: unix.ENOSPC}, in)
		time.Sleep(time.Minute)
		if err := f.Blocked(); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("Blocked() = %v", err)
		}
		f.send(anEvent(34, "later"))
		f.journal.mu.Lock()
		f.journal.err = nil
		f.journal.mu.Unlock()
		time.Sleep(time.Second)
		f.want(t, "left", "later")
		if err := f.Blocked(); err != nil {
			t.Errorf("Blocked() = %v after the journal accepted", err)
		}
		f.stop()
		if got := testutil.ToFloat64(f.m.Received); got != 2 {
			t.Errorf("received = %v", got)
		}
	})
}

func TestTheNumbersContinueFromTheJournalWithoutAnInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		numbered := func(seq uint64) genl.Message {
			return message(34, 1, 1, attr(1, []byte("x\x00")), attr(3, binary.NativeEndian.AppendUint64(nil, seq)),
				attr(5, binary.NativeEndian.AppendUint64(nil, 77)))
		}
		f := startWith(t, &fakeKernel{ids: first}, &recorder{newest: numbered(10).Data}, newInbox(t))
		f.send(numbered(11), numbered(12))
		f.want(t, "x", "x")
		f.send(numbered(20))
		f.want(t, "x", "x", "7 lost: unexplained 13-19", "x")
		f.stop()
	})
}

// TestABatchThatCannotBeReadIsCountedByItsNumbers: the inbox was of another size, and only
// its snapshot is left.
func TestABatchThatCannotBeReadIsCountedByItsNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox(t)
		batch, err := genl.NewBatch(in.memory)
		if err != nil {
			t.Fatal(err)
		}
		batch.Clear()
		in.SetGeneration(8)
		numbers := (&ledger{Family: 34, LoadID: 77, Seq: 10, Received: 10}).numbers()
		in.SaveSnapshot(8, encode(make([]byte, snapshotLen(len(numbers))), numbers))
		f := startWith(t, &fakeKernel{ids: first}, &recorder{generation: 7}, in)
		f.send(message(34, 1, 1, attr(1, []byte("x\x00")), attr(3, binary.NativeEndian.AppendUint64(nil, 14)),
			attr(5, binary.NativeEndian.AppendUint64(nil, 77))))
		f.want(t, "3 lost: not_subscribed 11-13", "x") // the fake kernel opens a new socket
		f.stop()
		if got := testutil.ToFloat64(f.m.Received); got != 11 {
			t.Errorf("received = %v, want 11", got)
		}
	})
}

func TestStopWhileThereIsNoSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &fakeKernel{ids: first})
		f.kernel.set(func() { f.kernel.openErr = unix.EMFILE })
		f.kernel.socket().failed <- unix.EBADF
		time.Sleep(time.Second)
		f.stop()
	})
}

func TestNewFailsWithoutASocket(t *testing.T) {
	k := &fakeKernel{openErr: unix.EAFNOSUPPORT}
	_, err := New(options(k, &recorder{}, newInbox(t)))
	if !errors.Is(err, unix.EAFNOSUPPORT) {
		t.Errorf("error %v", err)
	}
}

func TestHandleAllocatesNothing(t *testing.T) {
	o := options(&fakeKernel{ids: first}, nothing{}, newInbox(t))
	o.Inbox = forgetful{o.Inbox}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	batch := []genl.Message{anEvent(34, "a"), anEvent(33, "foreign"), anEvent(34, "b")}
	if n := testing.AllocsPerRun(100, func() {
		if err := r.handle(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per batch", n)
	}
}

type nothing struct{}

func (nothing) Append(uint64, time.Time, [][]byte) error { return nil }
func (nothing) LastGeneration() uint64                   { return 0 }
func (nothing) Tail(func([]byte)) error                  { return nil }

// forgetful is an Inbox that stores no snapshot.
type forgetful struct{ Inbox }

func (forgetful) SaveSnapshot(uint64, []byte) {}

func TestTheReceiverWaitsForAJournalThatDoesNotAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &fakeKernel{ids: first})
		full := func(err error) {
			f.journal.mu.Lock()
			defer f.journal.mu.Unlock()
			f.journal.err = err
		}
		full(unix.ENOSPC)
		f.send(anEvent(34, "a"))
		time.Sleep(time.Minute)
		if err := f.Blocked(); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("Blocked() = %v", err)
		}
		if stuck := f.Stuck(); stuck != 0 {
			t.Errorf("a full disk counts as stuck for %v: the watchdog would end the daemon", stuck)
		}
		f.send(anEvent(34, "b"))
		full(nil)
		time.Sleep(time.Second)
		f.want(t, "a", "b")
		if err := f.Blocked(); err != nil {
			t.Errorf("Blocked() = %v after the journal accepted", err)
		}
		full(unix.EIO)
		f.send(anEvent(34, "left in the inbox"))
		f.stop()
		if err := f.Blocked(); !errors.Is(err, unix.EIO) {
			t.Errorf("Blocked() = %v after a stop with a batch that is not journaled", err)
		}
	})
}
