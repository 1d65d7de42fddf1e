// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/metrics"
)

// A Route is the part of a worker that Change can replace while the worker runs.
type Route struct {
	Sinks   []sink.Sink // of one destination; several deliver at once, without order
	Rules   Rules       // of a comparable type, such as a pointer
	Options Options
}

// A Config contains the dependencies and settings of a Worker.
type Config struct {
	Route
	Name     string
	Reader   Reader
	Letters  DeadLetters
	Decode   Decoder
	State    metrics.SinkState   // initial counters
	Latency  prometheus.Observer // seconds from receipt to acceptance by the sink
	EndToEnd prometheus.Observer // seconds from the time stamp of the kernel to acceptance by the sink
	Log      *slog.Logger
	Clock    Clock // nil trusts the wall clock
	// OnCanary is called when all events before a canary have an outcome, unless it is nil. It
	// must not block, and must not call the worker.
	OnCanary func(text string, latency time.Duration)
}

// A Worker delivers the journal to one sink: each event that the rules let pass, until it
// has an outcome. Run and Close are called at most once and not both. The other methods
// are safe for concurrent use.
type Worker struct {
	Config
	account *account
	health  *health
	senders []*sender
	limits  *ratelog.Logger // for log lines that can repeat

	requests requests
	trials   chan *trial   // without room, so that a trial which is not attempted is withdrawn
	testing  sync.Mutex    // held by Test
	stopped  chan struct{} // closed when no session follows

	mu           sync.Mutex // guards the fields below, and Route outside of Run's goroutine
	requested    *change    // ends the session
	session      *session   // current session of Run
	ended        bool       // Run has ended
	closedMissed uint64     // events that the readers of closed sinks missed

	// Only the goroutine that fills batches uses these.
	queue        *queue // of the current session
	records      []journal.Record
	event        event.Event // the event that the rules are evaluated for
	suppressed   map[string]uint64
	unsummarized uint64 // suppressed events that are not in a summary yet
	summaries    []event.Event
	undecoded    undecoded
	retries      backoff // pauses between retries of the cursor and of replays
}

// NewWorker returns a worker that owns the reader and the sinks, and closes them at the
// end.
func NewWorker(c Config) *Worker {
	c.Log = c.Log.With("sink", c.Name)
	if c.Clock == nil {
		c.Clock = wallClock{}
	}
	limits := ratelog.New(c.Log)
	health := newHealth(c.Log, limits)
	w := &Worker{
		Config: c,
		account: &account{
			clock: c.Clock, reader: c.Reader, latency: latency{sinceReceipt: c.Latency, endToEnd: c.EndToEnd},
			health: health, state: c.State, reached: c.OnCanary,
		},
		health: health,
		limits: limits,

		suppressed: make(map[string]uint64), trials: make(chan *trial), stopped: make(chan struct{}),
	}
	w.use(c.Route)
	return w
}

// use sets the route and creates its senders.
func (w *Worker) use(route Route) {
	w.Route = route
	w.records = make([]journal.Record, route.Options.BatchEvents)
	w.retries = w.newBackoff()
	w.senders = nil
	for i, s := range route.Sinks {
		w.senders = append(w.senders, &sender{
			Worker: w, sink: s, source: attemptsOf(i), window: route.Options.BatchEvents, backoff: w.newBackoff(),
			retried: w.requests.look().retries,
		})
	}
}

func (w *Worker) newBackoff() backoff {
	return backoff{shortest: w.Options.RetryMin, longest: w.Options.RetryMax}
}

// State returns the current counters and faults. It also detects a stalled worker, by
// comparing the counters with those of an earlier call. So delivery needs no timers.
func (w *Worker) State() metrics.SinkState {
	s, moves := w.account.State()
	w.mu.Lock()
	s.Missed = w.closedMissed + missed(w.Sinks)
	attempt := w.Options.AttemptTimeout + stallGrace
	limit := attempt + w.Options.BatchWait
	w.mu.Unlock()
	busy := w.busy()
	requested, pending := w.requests.look(), s.Waiting+s.InFlight
	if !requested.paused.IsZero() {
		pending = 0 // the events wait for the operator
	}
	if !w.health.checkBusy(busy, attempt) {
		w.health.checkStall(moves, pending, limit)
	}
	w.health.report(&s)
	requested.report(&s)
	return s
}

// busy returns for how long the longest running attempt has lasted, 0 without one.
func (w *Worker) busy() (longest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, sender := range w.senders {
		longest = max(longest, sender.busy.Age())
	}
	return longest
}

// missed returns the number of events that readers of the sinks were too slow for.
func missed(sinks []sink.Sink) (n uint64) {
	for _, s := range sinks {
		if b, ok := s.(sink.Broadcaster); ok {
			n += b.Missed()
		}
	}
	return n
}

// Reopen makes the sinks reopen their files.
func (w *Worker) Reopen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.Sinks {
		if r, ok := s.(sink.Reopener); ok {
			r.Reopen()
		}
	}
}

// Replay makes the worker look for dead letters that are marked for replay.
func (w *Worker) Replay() { w.Reader.Interrupt() }

// Run delivers until the journal is sealed and every event in it has an outcome, until
// Stop, or until the context ends. It logs an error of Close, because no other sink and no
// event depends on it.
func (w *Worker) Run(ctx context.Context) {
	for {
		s := w.newSession(ctx)
		sealed := w.work(s)
		s.release()
		if sealed || ctx.Err() != nil || !w.applyChange() {
			break
		}
	}
	close(w.stopped)
	if err := w.Close(); err != nil {
		w.Log.Error("cannot close the sink", "error", err)
	}
	w.finish()
}

// Close closes the sinks and the reader. Run calls it; call it for a worker that is never
// run.
func (w *Worker) Close() error {
	if err := errors.Join(sink.CloseAll(w.Sinks), w.Reader.Close()); err != nil {
		return fmt.Errorf("close sink %s: %w", w.Name, err)
	}
	return nil
}

// work delivers until the session ends. Senders deliver batches while the next one is filled. It
// reports whether all events of a sealed journal are delivered.
func (w *Worker) work(s *session) (sealed bool) {
	w.queue = newQueue(len(w.senders))
	var wg sync.WaitGroup
	for _, sender := range w.senders {
		wg.Go(func() { sender.serve(s) })
	}
	sealed = w.feed(s.open, func(b *batch) bool { return w.queue.send(s.open, b) })
	w.queue.close()
	wg.Wait()
	return sealed && w.account.openBatches() == 0
}

// feed sends the batches that an earlier session left unfinished, and then fills and sends
// new ones. It ends when send reports false or when the journal is sealed and completely
// read, which it reports.
func (w *Worker) feed(ctx context.Context, send func(*batch) bool) (sealed bool) {
	for _, b := range w.account.unfinished() {
		if !send(b) {
			return false
		}
	}
	reads := w.newBackoff()
	for {
		w.account.retryCursor()
		if b := w.nextReplay(); b != nil && !send(b) {
			return false
		}
		b := w.account.newBatch()
		err := w.trim()
		if err == nil {
			err = w.fillBatch(ctx, b)
		}
		switch {
		case !b.empty(): // even if the context has ended: its records are counted
			reads.succeeded()
			w.health.clear(journalReads)
			if w.account.add(b); !send(b) {
				return false
			}
			continue
		case errors.Is(err, io.EOF) || ctx.Err() != nil:
			w.account.recycle(b)
			return ctx.Err() == nil
		case err != nil:
			w.health.set(journalReads, "cannot read the journal; will try again", err)
			sleep(ctx, reads.failed(false, 0))
		}
		w.account.recycle(b)
	}
}

// trim drops the records that exceed a limit of the sink, while no batch is open. Open
// batches are older, and their senders apply the limits.
func (w *Worker) trim() error {
	o := &w.Options
	if o.MaxLagBytes == 0 && o.MaxAge == 0 || w.account.openBatches() > 0 {
		return nil
	}
	if o.MaxAge > 0 {
		if err := w.trimTo(0, w.oldest(o.MaxAge), tooOld); err != nil {
			return err
		}
	}
	return w.trimTo(o.MaxLagBytes, time.Time{}, tooFarBehind)
}

func (w *Worker) trimTo(maxBytes int64, oldest time.Time, o outcome) error {
	n, err := w.account.trim(maxBytes, oldest, o)
	if n > 0 {
		w.limits.Warn("events dropped: they exceed a limit of the sink", "events", n, "limit", o)
	}
	return err
}

// oldest returns the steady time that is age ago.
func (w *Worker) oldest(age time.Duration) time.Time {
	return w.Clock.Steady(w.Clock.Now()).Add(-age)
}

// nextReplay returns a batch of dead letters that are marked for replay, or nil. The
// letters stay marked until a sender has settled the batch, so at most one such
// batch is open. After a read error, a later call tries again.
func (w *Worker) nextReplay() *batch {
	if w.account.replaying() {
		return nil
	}
	letters, err := w.Letters.NextReplay(w.Options.BatchEvents)
	if err != nil {
		w.health.set(letterReplays, "cannot read dead letters for a replay; will try again", err)
		return nil
	}
	w.health.clear(letterReplays)
	if len(letters) == 0 {
		return nil
	}
	b := w.account.newBatch()
	b.replay = true
	for i := range letters {
		l := &letters[i]
		r := journal.Record{Seq: l.ID.Seq, Time: l.Received, Data: l.Data}
		e := w.decode(b, &r)
		e.SetJournal(l.ID.Journal)
		b.add(item{record: r, attempts: l.Attempts}, &e)
	}
	w.account.add(b)
	return b
}
