// SPDX-License-Identifier: Apache-2.0

// Package receiver moves events of one family from the kernel's socket to the journal, keeps
// the socket subscribed across module reloads, and accounts for every multicast event.
//
// Events of genltest have numbers, which show how many are missing. Those of other families
// do not: their losses are known from the socket's drop counter, and events that are
// multicast while no socket is subscribed show as blind time only.
package receiver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/internal/progress"
	"github.com/genltestd/genltestd/metrics"
)

// A Socket is the part of a *genl.EventSocket that the receiver uses.
type Socket interface {
	Receive(handle func([]genl.Message) error) error
	Interrupt() error
	Resume(most time.Duration) error
	SetGroups(groups ...uint32) (joined []uint32, err error)
	SetBuffer(bytes int) (genl.SocketReport, error)
	Cookie() (uint64, error)
	Drops() (uint32, error)
	Notifications() (uint32, error)
	Queued() (bytes uint32, err error)
	Close() error
}

var _ Socket = (*genl.EventSocket)(nil)

// A Kernel opens the event socket of a target, or returns that of an earlier process, and
// resolves the family.
type Kernel interface {
	Open(t genl.Target, bufferBytes int, batch *genl.Batch) (Socket, genl.SocketReport, error)
	Resolve(t genl.Target) (genl.Registry, error)
}

// A Journal stores batches of records, also of other receivers; see journal.Journal.
type Journal interface {
	Append(generation *atomic.Uint64, t time.Time, records [][]byte) error
	Recovered() uint64
	Tail(visit func(data []byte) (found bool)) error
}

// An Inbox is the memory that batches are received into, with a snapshot of the
// ledger; see inbox.Inbox.
type Inbox interface {
	Memory() []byte
	Generation() uint64
	BeginAppend() *atomic.Uint64
	Settle(recovered uint64) (journaled bool)
	Advance()
	SaveSnapshot(generation uint64, data []byte)
	LoadSnapshot(generation uint64) []byte
}

const (
	watchInterval       = time.Second      // between reads of the socket's drop counter
	checkInterval       = 30 * time.Second // between checks of the subscription
	maxRedialDelay      = 10 * time.Second // longest delay before a failed socket is reopened
	appendRetryInterval = 200 * time.Millisecond
	drainTimeout        = time.Second // for the queued messages when the daemon stops

	// startOfReceive is far longer than Receive needs until it has read the queue.
	startOfReceive = 20 * time.Millisecond
)

// Options configure a Receiver.
type Options struct {
	Target      genl.Target // SetGroups changes its groups
	Kernel      Kernel
	Journal     Journal
	Inbox       Inbox
	FreshInbox  bool // the inbox was never used
	Leaving     bool // New calls Leave: only what an earlier process has left is received
	Metrics     *metrics.Reception
	BufferBytes int    // requested size of the socket's receive buffer; SetBuffer changes it
	OnAppear    func() // called after the family was registered and its group joined; must not block
	OnChange    func() // called within a second of an event or a change of the subscription; must not block
	Sender      uint32 // port id that multicasts: genl.Kernel, except in a test without the module
	Log         *slog.Logger
	// Now returns the time of receipt, and Age the time since then. If they are nil,
	// the receiver uses the machine's clock.
	Now func() time.Time
	Age func(time.Time) time.Duration
}

// A Receiver owns the event socket of one family. Run it once.
type Receiver struct {
	Options
	limits  *ratelog.Logger      // for lines that may repeat
	batch   *genl.Batch          // in the inbox's memory
	refused []prometheus.Counter // by genl.Verdict; nil for other verdicts
	lost    [reasons]prometheus.Counter

	numbered bool               // the family is genltest
	total    prometheus.Counter // of received events, if the family is genltest; see groups

	family     atomic.Uint32 // the id of accepted messages; 0 while the family is absent
	subscribed atomic.Uint32 // the same id after the group is joined; visible to others
	received   atomic.Uint64 // events journaled; the sum of Metrics.Received
	fault      atomic.Pointer[error]
	leaving    atomic.Bool // Run ends when the queue is empty
	left       atomic.Bool // Run has ended for this reason

	mu            sync.Mutex // protects the fields below, BufferBytes and Target.Groups
	ledger        ledger
	canary        canary
	groups        []group   // of the family when it was registered last
	numbers       []*uint64 // of the ledger
	unsaved       bool      // the snapshot is older than the ledger
	holding       bool      // the inbox contains a batch that is not journaled
	socket        Socket    // nil while no socket is open; only Run's goroutine changes it
	absenceLogged bool
	mismatch      *uint16         // the id that the last check found, if it differs from the receiver's
	joinedID      uint16          // the family's id when its group was joined, while the queue contains earlier notifications
	foreignID     uint16          // a resolved id that is not our family's
	dropped       uint64          // messages since the last checkSocket
	chosen        []genl.Group    // groups of the family that the target includes
	joinErrors    genl.JoinErrors // groups of the family that could not be joined
	followed      bool            // the family was registered when the subscription was last changed
	groupsChanged bool            // families were registered or unregistered, so the free groups may have changed

	createdAt time.Time
	busySince atomic.Int64          // start of the current batch, ns since createdAt; 0 while waiting
	watching  progress.Beat         // of watch
	blocked   atomic.Pointer[error] // why the journal does not accept events; nil if it does
	records   [][]byte              // of the current batch
	gaps      int                   // number of gaps in records
	events    int                   // number of events in records
	gap       []byte                // encoded; one of the records
	encoded   []byte                // multicast records of the current batch
	snapshot  []byte                // encoded ledger; scratch, with room for the groups
	journaled bool                  // the journal contains the batch that was in the inbox at first
	collected bool                  // that batch is collected
}

// New opens the event socket, or uses that of an earlier process, and subscribes if the
// family is registered. From then on events wait in the socket for Run. Run first
// journals the batch that the earlier process left in the inbox.
//
// New returns an error if the socket of genltest cannot be opened, except if it is leaving. Any
// other condition that prevents events from arriving is not an error: Fault returns it, and Run
// retries.
func New(o Options) (*Receiver, error) {
	batch, err := genl.NewBatch(o.Inbox.Memory(), o.Target)
	if err != nil {
		return nil, err
	}
	for _, hook := range []*func(){&o.OnAppear, &o.OnChange} {
		if *hook == nil {
			*hook = func() {}
		}
	}
	if o.Now == nil {
		o.Now, o.Age = time.Now, time.Since
	}
	o.Log = o.Log.With("family", o.Target.Family)
	r := &Receiver{Options: o, limits: ratelog.New(o.Log), batch: batch, createdAt: time.Now(), numbered: o.Target.IsGenltest()}
	if r.numbered {
		r.total = o.Metrics.Received.WithLabelValues(genl.GroupName)
	}
	for _, v := range genl.Refusals() {
		r.refused = append(r.refused, make([]prometheus.Counter, int(v)+1-len(r.refused))...)
		r.refused[v] = o.Metrics.Refused.WithLabelValues(v.String())
	}
	for why, name := range reasonNames {
		r.lost[why] = o.Metrics.Lost.WithLabelValues(name)
	}
	if o.FreshInbox {
		r.batch.Clear()
	}
	r.journaled = o.Inbox.Settle(o.Journal.Recovered())
	r.restore(r.journaled)
	r.leaving.Store(o.Leaving)
	if err := r.start(); err != nil {
		switch {
		case o.Leaving:
			r.Log.Error("cannot open the event socket of a family that is not configured any more; events that are queued in it are lost",
				"error", err)
		case r.numbered:
			return nil, err
		default:
			r.setFault(fmt.Errorf("cannot open the event socket: %w", err))
		}
	}
	if o.Leaving {
		r.Leave()
	}
	return r, nil
}

// Close releases a receiver for which Run was not called.
func (r *Receiver) Close() error { return r.close() }

// Subscribed reports whether events can arrive.
func (r *Receiver) Subscribed() bool { return r.SubscribedTo() != 0 }

// SubscribedTo returns the family's id while events can arrive, else 0.
func (r *Receiver) SubscribedTo() uint16 { return uint16(r.subscribed.Load()) }

// Received returns the number of received events, the same as Metrics.Received.
func (r *Receiver) Received() uint64 { return r.received.Load() }

// Family returns the family's current id, or 0 while it is absent.
func (r *Receiver) Family() uint16 { return uint16(r.family.Load()) }

// Run receives until the context ends. It returns an error only if it cannot recover
// from a fault.
func (r *Receiver) Run(ctx context.Context) error {
	failures := 0
	if r.socket == nil && !r.reopen(ctx, &failures) {
		return r.leaveWithoutSocket(ctx)
	}
	if err := r.journalPending(ctx); err != nil {
		return errors.Join(r.close(), ignoreCanceled(ctx, err))
	}
	for {
		began := time.Now()
		err := r.receive(ctx)
		if ctx.Err() != nil {
			r.drain(ctx)
		}
		if cerr := r.close(); cerr != nil {
			r.limits.Warn("cannot close the event socket", "error", cerr)
		}
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errLeft) {
			r.left.Store(true)
			return nil
		}
		if time.Since(began) > maxRedialDelay {
			failures = 0
		}
		r.limits.Error("the event socket failed", "error", err)
		r.storeFault(fmt.Errorf("the event socket failed: %w", err))
		if !r.reopen(ctx, &failures) {
			return r.leaveWithoutSocket(ctx)
		}
	}
}

// reopen opens a socket. It retries until the context ends, or until Leave is called: a new
// socket would not receive anything then. In both cases it returns false.
func (r *Receiver) reopen(ctx context.Context, failures *int) bool {
	for !r.leaving.Load() {
		*failures++
		select {
		case <-time.After(min(time.Duration(*failures)*100*time.Millisecond, maxRedialDelay)):
		case <-ctx.Done():
			return false
		}
		err := r.start()
		if err == nil {
			return true
		}
		r.limits.Error("cannot open the event socket; retrying", "error", err)
		r.storeFault(fmt.Errorf("cannot open the event socket: %w", err))
	}
	return false
}

// ignoreCanceled returns nil if the context has ended, or else err.
func ignoreCanceled(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// receive uses one socket until it fails or the context ends.
func (r *Receiver) receive(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { r.watch(watching) })
	socket := r.socket
	unblock := context.AfterFunc(ctx, func() { _ = socket.Interrupt() }) // the socket is closed next
	defer unblock()
	for {
		if r.leaving.Load() {
			return r.receiveLast(ctx)
		}
		err := socket.Receive(func(messages []genl.Message) error {
			// The batch is handled first: the kernel has removed it from the queue.
			if err := r.handle(ctx, messages); err != nil {
				return err
			}
			return ctx.Err()
		})
		if !errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
			return err
		}
		if err := socket.Resume(0); err != nil {
			return err
		}
		if err := errors.Join(ctx.Err(), r.handle(ctx, nil)); err != nil {
			return err
		}
	}
}
