// SPDX-License-Identifier: Apache-2.0

// Package daemon wires genltestd together and runs it. Data moves one way:
// kernel, receiver, journal, delivery, sink.
package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/clock"
	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/echo"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/inbox"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/kernel"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/reaper"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/daemon/record"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/statefile"
	"github.com/genltestd/genltestd/daemon/systemd"
	"github.com/genltestd/genltestd/daemon/teardown"
	"github.com/genltestd/genltestd/metrics"
)

// Options are what a Daemon takes from its surroundings.
type Options struct {
	Version string
	Stdout  io.Writer // of the sinks of kind stdout
	Log     *slog.Logger
	Level   *slog.LevelVar // of Log; nil when it does not change
	Dirs    Dirs
	Kernel  receiver.Kernel        // nil is the machine's own
	Echo    echo.Prober            // nil is the machine's own
	Machine *origin.Machine        // nil is this one
	Files   statefile.Files        // nil is the machine's own
	Clocks  func() clock.Reading   // nil are the machine's own
	Host    func() (string, error) // the machine's name; nil is os.Hostname

	// For a reload: where the configuration comes from, nil for nowhere, and the
	// Fingerprint before the present one was read.
	Source      Source
	Fingerprint string

	mask   *redact.Mask   // of the secrets of all sinks
	reaper *reaper.Reaper // of the programs of sinks; nil unless the process is process 1
	clock  *clock.Clock   // that New opens
}

// A Daemon is one running genltestd.
type Daemon struct {
	log      *slog.Logger
	repeats  *ratelog.Logger // of lines that may repeat
	metrics  *metrics.Metrics
	notifier *systemd.Notifier
	receiver *receiver.Receiver
	opts     Options
	journal  *journal.Journal
	inbox    *inbox.Inbox
	state    *stateFaults
	clock    *clock.Clock
	removals *removals
	origins  *origin.Tracker
	decoder  *record.Decoder
	echo     *echo.Loop
	status   *statusReporter
	pages    control.Pages
	socket   *endpoint                  // of the operator's client
	requests chan request               // to reload
	stopping chan struct{}              // closed when no more are answered
	leaving  map[string]<-chan struct{} // sinks that a reload has removed and that have not returned; its goroutine's

	journalPath string // as it was configured at the start

	mu      sync.Mutex // guards what a reload changes
	cfg     *config.Config
	workers []*worker  // in the order of the configuration
	pending []*pending // sinks that could not be opened yet
	web     *endpoint  // of the pages; nil when switched off
	loaded  loaded
}

// New opens the journal, subscribes to the family, and then opens the rest. A sink or an
// address that cannot be opened is tried again by Run. New fails, and leaves nothing
// open, when the journal, the inbox or the event socket cannot be opened, or with a
// config.Errors when the configuration is at fault.
func New(cfg *config.Config, opts Options) (_ *Daemon, err error) {
	var undo teardown.Stack
	defer func() {
		if err != nil {
			err = errors.Join(err, undo.Run())
		}
	}()

	log := opts.Log
	if opts.Machine == nil {
		opts.Machine = thisMachine(log)
	}
	if opts.Host == nil {
		opts.Host = os.Hostname
	}
	if opts.Echo == nil {
		opts.Echo = genl.NewEchoClient()
	}
	if opts.Files == nil {
		opts.Files = statefile.Disk{}
	}
	opts.reaper = reaper.New()
	opts.mask = new(redact.Mask)
	d := &Daemon{
		cfg: cfg, log: log, repeats: ratelog.New(log), opts: opts, notifier: systemd.NewNotifier(component(log, "systemd")),
		requests: make(chan request), stopping: make(chan struct{}), leaving: map[string]<-chan struct{}{}, loaded: loaded{since: time.Now(), hash: cfg.Hash()},
		journalPath: cfg.Journal.Path,
	}
	defer d.notifier.Extend(longestStart)() // a journal on a slow disk
	reg := prometheus.NewRegistry()
	d.metrics = metrics.New(reg, opts.Version, refusalReasons())
	err = errors.Join(metrics.RegisterSinks(reg, d.sinkStates), metrics.RegisterJournal(reg, d.journalState), metrics.RegisterConfig(reg, d.configState),
		metrics.RegisterListeners(reg, d.listening))
	if err != nil {
		return nil, err
	}

	if faults := collisions(cfg, opts.Dirs); len(faults) > 0 {
		return nil, faults
	}
	if err := opts.Dirs.create(); err != nil {
		return nil, err
	}
	d.state = newStateFaults(component(log, "state"), d.metrics)
	d.clock = d.openClock()
	d.opts.clock = d.clock
	d.removals = newRemovals(opts.Files, filepath.Join(opts.Dirs.State, removedFile))
	d.journal, err = d.openJournal(&cfg.Journal, component(log, "journal"))
	if err != nil {
		return nil, err
	}
	undo.Push(d.journal.Close)
	var fresh bool
	d.inbox, fresh, err = inbox.Open(opts.Dirs.inbox(), genl.BatchBytes)
	if err != nil {
		return nil, err
	}
	undo.Push(d.inbox.Close)
	d.checkInbox()
	d.echo = echo.New(echoConfig(cfg.Echo), echo.Options{Prober: opts.Echo, Metrics: d.metrics, Log: component(log, "echo")})
	d.status = newStatusReporter(d.statusLine, d.unsettled, func(line string) { d.notifier.Status("%s", line) })
	// Before all that receiving does not need: from now on events wait in the socket.
	d.receiver, err = receiver.New(receiver.Options{
		Kernel: d.kernel(), Journal: hostJournal{d.journal, func() *origin.Tracker { return d.origins }}, Inbox: d.inbox, FreshInbox: fresh,
		Metrics: d.metrics, BufferBytes: int(cfg.Receiver.Buffer), OnAppear: d.echo.Appeared, OnChange: d.status.look, Log: component(log, "receiver"),
		Now: d.clock.Now, Age: d.clock.Age,
	})
	if err != nil {
		return nil, err
	}
	undo.Push(d.receiver.Close)
	d.origins = d.openOrigins(&cfg.Event)
	d.decoder = &record.Decoder{JournalID: d.journal.ID(), OriginOf: d.origins.Of}
	compiler := newCompiler(cfg)
	for i := range cfg.Sinks {
		w, p, err := d.openSink(&cfg.Sinks[i], compiler)
		switch {
		case err != nil:
			return nil, sinkError(cfg, i, err)
		case p != nil:
			undo.Push(p.close)
			d.pending = append(d.pending, p)
		default:
			undo.Push(w.close)
			d.workers = append(d.workers, w)
		}
	}
	d.forget()
	d.pages = control.Pages{Metrics: reg, Refresh: d.countDrops, Health: d.alive, Ready: d.ready, Config: d.printConfig}
	d.socket, d.web = d.controlSocket(), d.pagesAt(&cfg.HTTP)
	for _, e := range d.endpoints() {
		e.bind()
	}
	return d, nil
}

// kernel returns the kernel that events come from.
func (d *Daemon) kernel() receiver.Kernel {
	if d.opts.Kernel != nil {
		return d.opts.Kernel
	}
	return kernel.New(d.notifier, systemd.Stored(), component(d.log, "receiver"))
}

// config returns the configuration in use, which nobody changes.
func (d *Daemon) config() *config.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cfg
}

// printConfig prints the configuration in use, without its secrets.
func (d *Daemon) printConfig(w io.Writer) error { return d.config().Print(w) }

// crew returns the workers of the sinks that are configured, in their order.
func (d *Daemon) crew() []*worker {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.workers
}

// workerOf returns the worker of a sink, nil when no such sink is configured.
func (d *Daemon) workerOf(sink string) *worker {
	for _, w := range d.crew() {
		if w.Name == sink {
			return w
		}
	}
	return nil
}

// Run works until the context ends or a part of the daemon fails for good, then
// delivers what is left within the drain limit. The error is the failure's.
func (d *Daemon) Run(parent context.Context) error {
	ctx, fail := context.WithCancelCause(parent)
	defer fail(nil)
	deliverCtx, abandon := context.WithCancel(context.WithoutCancel(parent))
	defer abandon()
	serveCtx, stopServing := context.WithCancel(context.WithoutCancel(parent))
	defer stopServing()
	receiving := group{ctx: ctx, fail: fail}
	delivering := group{ctx: deliverCtx, fail: fail}
	serving := group{ctx: serveCtx, fail: fail}

	stage := &stage{delivering: &delivering, serving: &serving}
	stage.serve(d.web)
	serving.start(d.socket.run)
	serving.start(func(ctx context.Context) error { d.opts.reaper.Run(ctx); return nil })
	serving.start(func(ctx context.Context) error { d.notifier.Watchdog(ctx, d.alive); return nil })
	serving.start(func(ctx context.Context) error { d.maintainClock(ctx); return nil })
	serving.start(func(ctx context.Context) error { d.origins.Run(ctx); return nil })
	for _, w := range d.crew() {
		delivering.start(w.run)
	}
	receiving.start(d.receiver.Run)
	receiving.start(func(ctx context.Context) error { d.echo.Run(ctx); return nil })
	receiving.start(func(ctx context.Context) error { d.status.run(ctx); return nil })
	receiving.start(func(ctx context.Context) error { d.lookAfterConfig(ctx, stage); return nil })
	d.notifier.Ready()

	<-ctx.Done()
	d.notifier.Stopping()
	defer d.notifier.Extend(time.Duration(d.config().Shutdown.Drain) + longestEnd)()
	d.log.Info("stopping", "cause", context.Cause(ctx))
	// Against the flow of data: what feeds the next part ends first. What answers
	// operators ends last, so that the counters are true until the end.
	receiving.wg.Wait()
	d.journal.Seal()
	d.drain(&delivering, abandon)
	for _, p := range d.waiting() {
		if err := p.close(); err != nil {
			d.log.Error("closing the place of a sink that could not be opened", "sink", p.cfg.Name, "error", err)
		}
	}
	if err := errors.Join(d.journal.Close(), d.inbox.Close()); err != nil {
		d.log.Error("closing the journal", "error", err)
	}
	stopServing()
	serving.wg.Wait()
	for _, w := range d.crew() {
		if err := w.letters.Close(); err != nil {
			d.log.Error("closing the dead letters", "sink", w.Name, "error", err)
		}
	}
	if parent.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// ReopenFiles lets go of the files that sinks write to; each opens what has the
// name when its next event comes. It does not block, and may be called at any time.
func (d *Daemon) ReopenFiles() {
	for _, w := range d.crew() {
		w.Reopen()
	}
}

const (
	// longestStart is for how long systemd is asked to wait for a start.
	longestStart = time.Hour

	// longestEnd is likewise for what is beside the drain: to receive what is queued, to
	// abandon attempts, to sync and close.
	longestEnd = 30 * time.Second
)

// abandonGrace is what a sink gets to return after its context has ended.
const abandonGrace = time.Second

// drain waits for the workers, up to the limit, and says what was left.
func (d *Daemon) drain(delivering *group, abandon func()) {
	done := make(chan struct{})
	go func() { delivering.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Duration(d.config().Shutdown.Drain)):
		abandon()
		select {
		case <-done:
		case <-time.After(abandonGrace):
		}
	}
	for _, w := range d.crew() {
		if s := w.State(); s.Waiting+s.InFlight > 0 {
			d.log.Warn("stopping with events that the sink has not taken; the next start goes on with them", "sink", s.Name, "events", s.Waiting+s.InFlight, "last_error", s.LastError())
		}
	}
}

// A group is goroutines that are waited for together. The first error ends the
// daemon.
type group struct {
	wg   sync.WaitGroup
	ctx  context.Context // given to each
	fail context.CancelCauseFunc
}

func (g *group) start(run func(context.Context) error) {
	g.wg.Go(func() {
		if err := run(g.ctx); err != nil {
			g.fail(err)
		}
	})
}

func component(log *slog.Logger, name string) *slog.Logger { return log.With("component", name) }
