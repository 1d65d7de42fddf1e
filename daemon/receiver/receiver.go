// SPDX-License-Identifier: Apache-2.0

// Package receiver moves events from the kernel's socket into the journal, and
// keeps the socket subscribed while the family comes and goes.
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

// recover journals the batch of a process that ended before it could.
func (r *Receiver) recover() error {
	generation, left := r.inbox.Generation(), r.batch.Left()
	if len(left) == 0 || generation <= r.journal.LastGeneration() {
		return nil
	}
	family := uint16(r.inbox.Note()) //nolint:gosec // stored from one
	r.records = r.records[:0]
	for _, m := range left {
		switch genl.Classify(m, family) {
		case genl.Event:
			r.records = append(r.records, m.Data)
		case genl.Notification:
			// The event socket is gone, and its subscription with it; but the events
			// behind the news came under the new id.
			if change, err := genl.ParseNotification(m.Data); err == nil && change.Kind != genl.Unrelated {
				family = 0
				if change.Kind == genl.Registered {
					family = change.IDs.ID
				}
			}
		}
	}
	if len(r.records) == 0 {
		return nil
	}
	if err := r.journal.Append(generation, time.Now(), r.records); err != nil {
		return fmt.Errorf("journal what the last process had received: %w", err)
	}
	r.metrics.Received.Add(float64(len(r.records)))
	r.log.Info("journaled events that the last process had received and not journaled", "events", len(r.records))
	return nil
}

// emptied makes the inbox ready for the next batch. The batch goes first: a
// newer generation must never stand over an old batch.
func (r *Receiver) emptied() {
	r.batch.Clear()
	r.inbox.SetNote(uint64(r.Family()))
	r.inbox.SetGeneration(r.journal.LastGeneration() + 1)
	r.holding.Store(false)
}

// Blocked returns why the journal does not accept events, nil while it does.
func (r *Receiver) Blocked() error {
	if err := r.blocked.Load(); err != nil {
		return *err
	}
	return nil
}

// Subscribed reports whether events can arrive.
func (r *Receiver) Subscribed() bool { return r.subscribed.Load() }

// Family returns the family's present id, 0 while it is away.
func (r *Receiver) Family() uint16 { return uint16(r.family.Load()) } //nolint:gosec // stored from one

// Stuck returns for how long the receiver has been busy with one batch.
func (r *Receiver) Stuck(now time.Time) time.Duration {
	since := r.busySince.Load()
	if since == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, since))
}

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

// handle takes one batch into the journal. It is the hot path: it allocates
// nothing per message and waits for nothing but the journal.
func (r *Receiver) handle(ctx context.Context, messages []genl.Message) error {
	now := time.Now()
	r.holding.Store(true)
	r.busySince.Store(now.UnixNano())
	defer r.busySince.Store(0)
	r.records = r.records[:0]
	for _, m := range messages {
		switch verdict := genl.Classify(m, r.Family()); verdict {
		case genl.Event:
			r.records = append(r.records, m.Data)
		case genl.Notification:
			r.notified(m.Data)
		default:
			r.refused[verdict].Inc()
		}
	}
	if len(r.records) > 0 {
		if err := r.append(ctx, now); err != nil {
			return err
		}
		r.metrics.Received.Add(float64(len(r.records)))
	}
	r.emptied()
	return nil
}

// append journals the records, once the journal can take them.
func (r *Receiver) append(ctx context.Context, now time.Time) error {
	err := r.journal.Append(r.inbox.Generation(), now, r.records)
	if err == nil {
		return nil
	}
	return r.appendLater(ctx, now, err)
}

// appendLater waits for the journal: the batch stays in the inbox, and what comes
// after it in the socket's buffer, where the kernel counts what does not fit.
func (r *Receiver) appendLater(ctx context.Context, now time.Time, err error) error {
	r.log.Error("the journal does not accept events; they wait in the socket's buffer", "error", err)
	defer r.blocked.Store(nil)
	for err != nil {
		r.blocked.Store(&err)
		r.busySince.Store(0) // waiting, not stuck
		select {
		case <-time.After(retryAppend):
		case <-ctx.Done():
			return fmt.Errorf("append to the journal: %w", err)
		}
		err = r.journal.Append(r.inbox.Generation(), now, r.records)
	}
	r.log.Info("the journal accepts events again")
	return nil
}

// notified follows the family as nlctrl tells of it, in order with the events.
func (r *Receiver) notified(data []byte) {
	change, err := genl.ParseNotification(data)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		switch {
		case change.Kind == genl.Registered:
			err = r.follow(change.IDs)
		case change.Kind == genl.Unregistered && change.IDs.ID == r.Family():
			err = r.follow(genl.FamilyIDs{})
		}
	}
	if err != nil {
		r.log.Error("following the family", "error", err)
	}
}

// resolve asks the kernel for the family; zero ids mean that it is away.
func (r *Receiver) resolve() (genl.FamilyIDs, error) {
	ids, err := r.kernel.Resolve()
	if errors.Is(err, os.ErrNotExist) {
		return genl.FamilyIDs{}, nil
	}
	return ids, err
}

// check corrects the subscription if a notification was lost. While one may
// still be queued it must not: what lies before it in the queue came under the
// old id. So the queue has to be empty, and two checks have to agree.
func (r *Receiver) check() error {
	ids, err := r.resolve()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if ids.ID == r.Family() {
		r.doubt = nil
		return nil
	}
	queued, err := r.socket.Queued()
	if err != nil {
		return err
	}
	if r.doubt == nil || *r.doubt != ids || queued > 0 || r.holding.Load() {
		r.doubt = &ids
		return nil
	}
	r.log.Warn("a notification of the kernel was lost; correcting the subscription", "family_id", ids.ID)
	return r.follow(ids)
}

func (r *Receiver) inDoubt() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.doubt != nil
}

// follow makes ids the family's; zero ids mean that it is away. The caller
// holds mu.
func (r *Receiver) follow(ids genl.FamilyIDs) error {
	r.doubt = nil
	if ids.ID == 0 {
		r.away()
		if !r.told {
			r.told = true
			r.log.Warn("the family is not registered: waiting for its module to be loaded", "family", genl.FamilyName, "hint", genl.AbsenceHint())
		}
		return nil
	}
	known := ids.ID == r.Family()
	// The id first: no event can arrive earlier than the membership.
	r.family.Store(uint32(ids.ID))
	r.noteFamily()
	if err := r.socket.Join(ids.Group); err != nil {
		r.away()
		return err
	}
	r.subscribed.Store(true)
	r.metrics.Subscribed.Set(1)
	if !known {
		r.told = false
		r.metrics.Registrations.Inc()
		r.log.Info("subscribed", "family", genl.FamilyName, "family_id", ids.ID, "group", genl.GroupName, "group_id", ids.Group)
	}
	return nil
}

// noteFamily tells a later process the id of the next batch's events. While the
// inbox holds a batch it must not: emptied does it then.
func (r *Receiver) noteFamily() {
	if !r.holding.Load() {
		r.inbox.SetNote(uint64(r.Family()))
	}
}

func (r *Receiver) away() {
	r.family.Store(0)
	r.noteFamily()
	r.subscribed.Store(false)
	r.metrics.Subscribed.Set(0)
}
