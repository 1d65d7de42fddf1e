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
	Sinks   []sink.Sink // of the same place; with more than one the order is given up
	Rules   Rules       // of a type that can be compared, such as a pointer
	Options Options
}

// A Config is what a Worker works with.
type Config struct {
	Route
	Name    string
	Reader  Reader
	Letters DeadLetters
	Decode  Decoder
	State   metrics.SinkState   // to begin with
	Latency prometheus.Observer // seconds from receipt until taken
	Log     *slog.Logger
	Clock   Clock // nil trusts the machine's
}

// A Worker delivers the journal to one sink: each event that the rules let pass,
// until it has found its fate. Run is called once, the other methods at any time, but
// Close.
type Worker struct {
	Config
	account *account
	health  *health
	lanes   []*lane
	limits  *ratelog.Logger // of lines that may repeat

	mu      sync.Mutex // guards Config.Route for others than Run, and what follows
	asked   *change    // for which the shift is to end
	shift   *shift     // that Run works in
	ended   bool       // Run has
	retired uint64     // that sinks missed which are no longer used

	// Of the goroutine that gathers.
	records    []journal.Record
	event      event.Event // the one that is judged
	suppressed map[string]uint64
	owed       uint64 // suppressed events that no summary has told of
	summaries  []event.Event
	undecoded  undecoded
	again      pace // between attempts of what failed beside deliveries
}

// NewWorker returns a worker that closes the reader and the sinks in the end.
func NewWorker(c Config) *Worker {
	c.Log = c.Log.With("sink", c.Name)
	if c.Clock == nil {
		c.Clock = wallClock{}
	}
	limits := ratelog.New(c.Log)
	health := newHealth(c.Log, limits)
	w := &Worker{
		Config:  c,
		account: &account{clock: c.Clock, reader: c.Reader, latency: c.Latency, health: health, state: c.State},
		health:  health,
		limits:  limits,

		suppressed: make(map[string]uint64),
	}
	w.use(c.Route)
	return w
}

// use makes a route the worker's own.
func (w *Worker) use(route Route) {
	w.Route = route
	w.records = make([]journal.Record, route.Options.BatchEvents)
	w.again = pace{shortest: route.Options.RetryMin, longest: route.Options.RetryMax}
	w.lanes = nil
	for i, s := range route.Sinks {
		w.lanes = append(w.lanes, &lane{
			Worker: w, sink: s, source: attemptsOf(i), window: route.Options.BatchEvents,
			pace: pace{shortest: route.Options.RetryMin, longest: route.Options.RetryMax},
		})
	}
}

// State returns the account at this moment, with what is wrong. A worker that has
// stalled is noticed here, from one call to another, so that no event costs a timer.
func (w *Worker) State() metrics.SinkState {
	s, moves := w.account.State()
	w.mu.Lock()
	s.Missed = w.retired + missed(w.Sinks)
	limit := w.Options.AttemptTimeout + w.Options.BatchWait + stallGrace
	w.mu.Unlock()
	w.health.look(moves, s.Waiting+s.InFlight, limit)
	w.health.report(&s)
	return s
}

// missed counts what the readers of sinks were too slow for.
func missed(sinks []sink.Sink) (n uint64) {
	for _, s := range sinks {
		if b, ok := s.(sink.Broadcaster); ok {
			n += b.Missed()
		}
	}
	return n
}

// Reopen has the sinks let go of their files.
func (w *Worker) Reopen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.Sinks {
		if r, ok := s.(sink.Reopener); ok {
			r.Reopen()
		}
	}
}

// Replay has the worker look for dead letters that are to be delivered again.
func (w *Worker) Replay() { w.Reader.Interrupt() }

// Run delivers until the journal is sealed and everything in it has found its fate,
// until Stop, or until the context ends. What cannot be closed then is logged: no
// other sink, and no event, depends on it.
func (w *Worker) Run(ctx context.Context) {
	for {
		s := w.begin(ctx)
		sealed := w.work(s)
		s.end()
		if sealed || ctx.Err() != nil || !w.turn() {
			break
		}
	}
	if err := w.Close(); err != nil {
		w.Log.Error("closing the sink", "error", err)
	}
	w.leave()
}

// work delivers until the shift is over, or reports that there is nothing more to
// come.
func (w *Worker) work(s *shift) (sealed bool) {
	if len(w.lanes) == 1 {
		return w.feed(s.begun, func(b *batch) bool { return w.lanes[0].deliver(s, b) })
	}
	return w.feedAll(s)
}

// Close frees what the worker holds; for one that is not run.
func (w *Worker) Close() error {
	if err := errors.Join(sink.CloseAll(w.Sinks), w.Reader.Close()); err != nil {
		return fmt.Errorf("close sink %s: %w", w.Name, err)
	}
	return nil
}

// feedAll gives each batch to the next lane that has nothing to do.
func (w *Worker) feedAll(s *shift) (sealed bool) {
	batches := make(chan *batch)
	var wg sync.WaitGroup
	for _, l := range w.lanes {
		wg.Go(func() {
			for b := range batches {
				if !l.deliver(s, b) {
					return
				}
			}
		})
	}
	sealed = w.feed(s.begun, func(b *batch) bool {
		select {
		case batches <- b:
			return true
		case <-s.begun.Done():
			return false
		}
	})
	close(batches)
	wg.Wait()
	return sealed
}

// feed sends the batches that an earlier shift has left, then gathers and sends others,
// until there will be no more, which it reports, or send reports false.
func (w *Worker) feed(ctx context.Context, send func(*batch) bool) (sealed bool) {
	for _, b := range w.account.left() {
		if !send(b) {
			return false
		}
	}
	reading := pace{shortest: w.Options.RetryMin, longest: w.Options.RetryMax}
	for {
		w.account.writeAgain()
		if b := w.replay(); b != nil && !send(b) {
			return false
		}
		b := w.account.begin()
		err := w.trim()
		if err == nil {
			err = w.gather(ctx, b)
		}
		switch {
		case !b.empty(): // also when the context has ended: it is counted
			reading.succeeded()
			w.health.clear(journalReads)
			if w.account.enter(b); !send(b) {
				return false
			}
			continue
		case errors.Is(err, io.EOF) || ctx.Err() != nil:
			w.account.drop(b)
			return ctx.Err() == nil
		case err != nil:
			w.health.set(journalReads, "cannot read the journal; will try again", err)
			sleep(ctx, reading.failed(false, 0))
		}
		w.account.drop(b)
	}
}

// trim drops what lies in the journal beyond the limits of the sink, when nothing is
// under way: what is in hand is older, and the lanes look after it.
func (w *Worker) trim() error {
	o := &w.Options
	if o.MaxLagBytes == 0 && o.MaxAge == 0 || w.account.underway() > 0 {
		return nil
	}
	if o.MaxAge > 0 {
		if err := w.trimTo(0, w.oldest(o.MaxAge), tooOld); err != nil {
			return err
		}
	}
	return w.trimTo(o.MaxLagBytes, time.Time{}, tooFarBehind)
}

func (w *Worker) trimTo(maxBytes int64, oldest time.Time, f fate) error {
	n, err := w.account.trim(maxBytes, oldest, f)
	if n > 0 {
		w.limits.Warn("events dropped: beyond a limit of the sink", "events", n, "limit", f)
	}
	return err
}

// oldest returns the steady time that is so long ago.
func (w *Worker) oldest(age time.Duration) time.Time {
	return w.Clock.Steady(w.Clock.Now()).Add(-age)
}

// replay returns dead letters that are to be delivered again, nil when there are
// none. They are marked until the lane has dealt with them, so there is one such
// batch at a time. What cannot be read is read again later.
func (w *Worker) replay() *batch {
	if w.account.replaying() {
		return nil
	}
	letters, err := w.Letters.NextReplay(w.Options.BatchEvents)
	if err != nil {
		w.health.set(letterReplays, "cannot read dead letters that are to be delivered again; will try again", err)
		return nil
	}
	w.health.clear(letterReplays)
	if len(letters) == 0 {
		return nil
	}
	b := w.account.begin()
	b.replay = true
	for i := range letters {
		l := &letters[i]
		r := journal.Record{Seq: l.ID.Seq, Time: l.Received, Data: l.Data}
		e := w.decoded(b, &r)
		e.SetJournal(l.ID.Journal)
		b.add(item{record: r, attempts: l.Attempts}, &e)
	}
	w.account.enter(b)
	return b
}
