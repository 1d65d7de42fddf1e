// SPDX-License-Identifier: Apache-2.0

// Package receiver moves events from the kernel's socket into the journal, and
// keeps the socket subscribed while the family comes and goes.
package receiver

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/metrics"
)

// A Socket is what the receiver needs of a *genl.EventSocket.
type Socket interface {
	Receive(handle func([]genl.Message) error) error
	Interrupt() error
	Join(group uint32) error
	Drops() (uint32, error)
	Queued() (bytes uint32, err error)
	Close() error
}

var _ Socket = (*genl.EventSocket)(nil)

// A Kernel opens sockets and knows the family.
type Kernel interface {
	Open(bufferBytes int, batch *genl.Batch) (Socket, genl.SocketReport, error)
	Resolve() (genl.FamilyIDs, error)
}

// A Journal takes what was received, a batch at a time, each with a generation
// one higher than the last.
type Journal interface {
	Append(generation uint64, t time.Time, records [][]byte) error
	LastGeneration() uint64
}

// An Inbox is the memory that batches are received into; see journal.Inbox. Its
// note is the family's id at the beginning of the batch.
type Inbox interface {
	Memory() []byte
	Generation() uint64
	SetGeneration(g uint64)
	Note() uint64
	SetNote(note uint64)
}

const (
	lookInterval  = time.Second      // between two looks at the socket's drop counter
	checkInterval = 30 * time.Second // between two checks that the subscription is still right
	redialMax     = 10 * time.Second // longest wait before a failed socket is opened again
	retryAppend   = 200 * time.Millisecond
)

// A Receiver owns the event socket. Run it once.
type Receiver struct {
	kernel  Kernel
	journal Journal
	metrics *metrics.Metrics
	log     *slog.Logger
	buffer  int // bytes asked for
	inbox   Inbox
	batch   *genl.Batch          // in the inbox's memory
	refused []prometheus.Counter // by genl.Verdict; nil where that is no refusal
	socket  Socket               // nil while there is none; Run's goroutine changes it, holding mu

	// family is the id of which messages are accepted. Only the holder of mu
	// changes it; the receive loop reads it for each message.
	family     atomic.Uint32
	subscribed atomic.Bool // the group is joined too
	mu         sync.Mutex
	told       bool            // the log has that the family is away
	doubt      *genl.FamilyIDs // what the last check found in place of what the receiver knows
	drops      uint32          // the socket's counter when it was last read

	busySince atomic.Int64 // when the present batch was taken up, ns; 0 when waiting
	records   [][]byte     // of the batch at hand

	holding atomic.Bool           // the inbox holds a batch that is not journaled
	blocked atomic.Pointer[error] // why the journal does not accept; nil while it does
}

// New journals what an earlier process has left in the inbox, opens the event
// socket and subscribes if the family is there. fresh says that nothing was ever
// received into the inbox.
func New(k Kernel, j Journal, inbox Inbox, fresh bool, m *metrics.Metrics, bufferBytes int, log *slog.Logger) (*Receiver, error) {
	batch, err := genl.NewBatch(inbox.Memory())
	if err != nil {
		return nil, err
	}
	r := &Receiver{kernel: k, journal: j, inbox: inbox, batch: batch, metrics: m, log: log, buffer: bufferBytes}
	for _, v := range genl.Refusals() {
		r.refused = append(r.refused, make([]prometheus.Counter, int(v)+1-len(r.refused))...)
		r.refused[v] = m.Refused.WithLabelValues(v.String())
	}
	if !fresh {
		if err := r.recover(); err != nil {
			return nil, err
		}
	}
	r.emptied()
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

// Subscribed reports whether events can arrive.
func (r *Receiver) Subscribed() bool { return r.subscribed.Load() }

// Family returns the family's present id, 0 while it is away.
func (r *Receiver) Family() uint16 { return uint16(r.family.Load()) } //nolint:gosec // stored from one

func (r *Receiver) open() error {
	socket, report, err := r.kernel.Open(r.buffer, r.batch)
	if err != nil {
		return err
	}
	r.metrics.ReceiveBuffer.Set(float64(report.BufferBytes))
	if report.Limited != nil {
		r.log.Warn("the kernel granted a smaller receive buffer: bursts are lost sooner; give the daemon CAP_NET_ADMIN or raise net.core.rmem_max",
			"asked_bytes", 2*r.buffer, "granted_bytes", report.BufferBytes, "error", report.Limited)
	}
	r.mu.Lock()
	r.socket, r.drops = socket, 0
	r.mu.Unlock()
	// Nothing can be queued but notifications of what happens from now on.
	ids, err := r.resolve()
	if err == nil {
		err = r.follow(ids)
	}
	if err != nil {
		return errors.Join(err, r.close())
	}
	return nil
}

// close counts what the socket dropped before it forgets it.
func (r *Receiver) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := errors.Join(r.countDrops(), r.socket.Close())
	r.socket = nil
	r.away()
	return err
}

// Run receives until the context ends. It returns an error only for a fault
// that it cannot mend.
func (r *Receiver) Run(ctx context.Context) error {
	for failures := 0; ; {
		began := time.Now()
		err := r.receive(ctx)
		if cerr := r.close(); cerr != nil {
			r.log.Warn("closing the event socket", "error", cerr)
		}
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > redialMax {
			failures = 0
		}
		r.log.Error("the event socket failed; opening another", "error", err)
		for {
			failures++
			select {
			case <-time.After(min(time.Duration(failures)*100*time.Millisecond, redialMax)):
			case <-ctx.Done():
				return nil
			}
			if err := r.open(); err == nil {
				break
			} else if failures%10 == 1 {
				r.log.Error("cannot open the event socket", "error", err)
			}
		}
	}
}

// receive serves one socket until it fails or the context ends.
func (r *Receiver) receive(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { r.watch(watching) })
	socket := r.socket
	unblock := context.AfterFunc(ctx, func() { socket.Interrupt() }) //nolint:errcheck // the socket is closed next
	defer unblock()
	return socket.Receive(func(messages []genl.Message) error {
		// The batch first: the kernel has given it away, and nobody else has it.
		if err := r.handle(ctx, messages); err != nil {
			return err
		}
		return ctx.Err()
	})
}

// watch looks after the socket beside the receive loop.
func (r *Receiver) watch(ctx context.Context) {
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	checked := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		lost, err := r.CountDrops()
		// A notification may be among what was lost.
		if err == nil && (lost > 0 || r.inDoubt() || time.Since(checked) >= checkInterval) {
			checked = time.Now()
			err = r.check()
		}
		if err != nil {
			r.log.Warn("watching the event socket", "error", err)
		}
	}
}

// CountDrops brings the counter of lost events up to date and returns how many
// were added.
func (r *Receiver) CountDrops() (lost uint32, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.drops
	if err := r.countDrops(); err != nil {
		return 0, err
	}
	if lost = r.drops - before; lost > 0 {
		r.log.Warn("events lost: the socket's receive buffer was full", "events", lost)
	}
	return lost, nil
}

// countDrops adds what the kernel has dropped since the last look. The counter
// has 32 bits; the difference is right across its wrap.
func (r *Receiver) countDrops() error {
	if r.socket == nil {
		return nil
	}
	now, err := r.socket.Drops()
	if err != nil {
		return err
	}
	r.metrics.Lost.WithLabelValues(metrics.LostKernelBuffer).Add(float64(now - r.drops))
	r.drops = now
	return nil
}
