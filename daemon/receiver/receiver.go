// SPDX-License-Identifier: Apache-2.0

// Package receiver moves events from the kernel's socket into the journal, keeps
// the socket subscribed while the family comes and goes, and accounts for every
// event that was multicast.
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
	"github.com/genltestd/genltestd/metrics"
)

// A Socket is what the receiver needs of a *genl.EventSocket.
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

// A Kernel has the event socket, which may be one that an earlier process has
// opened, and knows the family.
type Kernel interface {
	Open(bufferBytes int, batch *genl.Batch) (Socket, genl.SocketReport, error)
	Resolve() (genl.Registry, error)
}

// A Journal takes what was received, a batch at a time, each with a generation
// one higher than the last.
type Journal interface {
	Append(generation uint64, t time.Time, records [][]byte) error
	LastGeneration() uint64
	Tail(visit func(data []byte)) error
}

// An Inbox is the memory that batches are received into; see inbox.Inbox. Its
// memo is the ledger.
type Inbox interface {
	Memory() []byte
	Generation() uint64
	SetGeneration(g uint64)
	Remember(generation uint64, memo []byte)
	Recall(generation uint64) []byte
}

const (
	watchInterval       = time.Second      // between two looks at the socket's drop counter
	checkInterval       = 30 * time.Second // between two checks that the subscription is still right
	maxRedialDelay      = 10 * time.Second // longest wait before a failed socket is opened again
	appendRetryInterval = 200 * time.Millisecond
	drainTimeout        = time.Second // for what is queued when the daemon stops
)

// Options are what a Receiver works with.
type Options struct {
	Kernel      Kernel
	Journal     Journal
	Inbox       Inbox
	FreshInbox  bool // nothing was ever received into it
	Metrics     *metrics.Metrics
	BufferBytes int    // asked for, of the socket's receive buffer; SetBuffer changes it
	OnAppear    func() // called when the family has appeared and its group is joined; it must not block
	OnChange    func() // called within a second of an event, or of the family's coming or going; it must not block
	Sender      uint32 // port id that multicasts: genl.Kernel, except in a test without the module
	Log         *slog.Logger
	// Now returns the time of receipt and Age what has passed since; nil trusts the
	// machine's clock.
	Now func() time.Time
	Age func(time.Time) time.Duration
}

// A Receiver owns the event socket. Run it once.
type Receiver struct {
	Options
	limits  *ratelog.Logger      // of lines that may repeat
	batch   *genl.Batch          // in the inbox's memory
	refused []prometheus.Counter // by genl.Verdict; nil where that is no refusal
	lost    [reasons]prometheus.Counter

	family     atomic.Uint32 // the id of which messages are accepted; 0 while the family is away
	subscribed atomic.Uint32 // that id once the group is joined too: what others see
	received   atomic.Uint64 // events journaled; the value of Metrics.Received

	mu            sync.Mutex // held to change what follows, and BufferBytes
	ledger        ledger
	numbers       []*uint64 // of the ledger
	unsaved       bool      // the memo lacks something of the ledger
	holding       bool      // the inbox holds a batch that is not journaled
	socket        Socket    // nil while there is none; Run's goroutine changes it
	absenceLogged bool
	mismatch      *genl.FamilyIDs // what the last check found in place of what the receiver knows
	joinedID      uint16          // the family's id when its group was joined, while what is queued tells of earlier ones
	foreignID     uint16          // a family that was asked for and is another
	dropped       uint64          // messages, since the last look
	groupsChanged bool            // other families came or went: the free groups may be others

	createdAt time.Time
	busySince atomic.Int64          // when the present batch was taken up, ns since born; 0 when waiting
	blocked   atomic.Pointer[error] // why the journal does not accept; nil while it does
	records   [][]byte              // of the batch at hand
	gaps      int                   // how many of the records are gaps
	events    int                   // and how many are events
	gap       []byte                // that is one of the records
	snapshot  []byte                // scratch
}

// New opens the event socket, or goes on with that of an earlier process, and subscribes
// if the family is there. From then on events wait in the socket for Run. Nothing is
// journaled before Run, which begins with what the earlier process has left in the inbox.
func New(o Options) (*Receiver, error) {
	batch, err := genl.NewBatch(o.Inbox.Memory())
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
	r := &Receiver{Options: o, limits: ratelog.New(o.Log), batch: batch, createdAt: time.Now()}
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
	r.restore()
	continues, err := r.open()
	if err != nil {
		return nil, err
	}
	// With the socket there, whose counter may explain what is missing.
	r.collectPending()
	if err := r.subscribe(continues); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// Close frees a receiver that Run was not called for.
func (r *Receiver) Close() error { return r.close() }

// Subscribed reports whether events can arrive.
func (r *Receiver) Subscribed() bool { return r.SubscribedTo() != 0 }

// SubscribedTo returns the family's id while events can arrive, else 0.
func (r *Receiver) SubscribedTo() uint16 { return uint16(r.subscribed.Load()) }

// Received returns how many events were received, as Metrics.Received has it.
func (r *Receiver) Received() uint64 { return r.received.Load() }

// Family returns the family's present id, 0 while it is away.
func (r *Receiver) Family() uint16 { return uint16(r.family.Load()) }

// Run receives until the context ends. It returns an error only for a fault
// that it cannot mend.
func (r *Receiver) Run(ctx context.Context) error {
	if err := r.journalPending(ctx); err != nil {
		return errors.Join(r.close(), ignoreCanceled(ctx, err))
	}
	for failures := 0; ; {
		began := time.Now()
		err := r.receive(ctx)
		if ctx.Err() != nil {
			r.drain(ctx)
		}
		if cerr := r.close(); cerr != nil {
			r.limits.Warn("closing the event socket", "error", cerr)
		}
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > maxRedialDelay {
			failures = 0
		}
		r.limits.Error("the event socket failed; opening another", "error", err)
		for {
			failures++
			select {
			case <-time.After(min(time.Duration(failures)*100*time.Millisecond, maxRedialDelay)):
			case <-ctx.Done():
				return nil
			}
			if err := r.reopen(); err == nil {
				break
			} else {
				r.limits.Error("cannot open the event socket; will try again", "error", err)
			}
		}
	}
}

// ignoreCanceled returns no error when the context's end is the cause.
func ignoreCanceled(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// receive serves one socket until it fails or the context ends.
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
		err := socket.Receive(func(messages []genl.Message) error {
			// The batch first: the kernel has given it away, and nobody else has it.
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

// drain takes what is queued when the daemon stops: nobody may ever adopt the
// socket. What is lost goes into the journal too.
func (r *Receiver) drain(ctx context.Context) {
	end := time.Now().Add(drainTimeout)
	err := r.socket.Resume(20 * time.Millisecond) // far more than to begin takes
	if err == nil {
		err = r.socket.Receive(func(messages []genl.Message) error {
			if time.Now().After(end) {
				return errors.Join(r.handle(ctx, messages), errDrainTimeout)
			}
			return r.handle(ctx, messages)
		})
	}
	for r.hasPendingGaps() && (err == nil || errors.Is(err, os.ErrDeadlineExceeded)) {
		err = r.handle(ctx, nil)
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		r.Log.Warn("stopping with events in the socket's buffer", "error", err)
	}
}

var errDrainTimeout = fmt.Errorf("events came faster than they could be taken for %s", drainTimeout)
