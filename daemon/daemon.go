// SPDX-License-Identifier: Apache-2.0

// Package daemon wires genltestd together and runs it. Data moves one way:
// kernel, receiver, journal, delivery, sink.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/delivery"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/daemon/systemd"
	"github.com/genltestd/genltestd/metrics"
)

// Options are what a Daemon takes from its surroundings.
type Options struct {
	Version string
	Stdout  io.Writer // of the sinks of kind stdout
	Log     *slog.Logger
	Dirs    Dirs
	Kernel  receiver.Kernel // nil is the machine's own
	Echo    Prober          // nil is the machine's own
	Machine *origin.Machine // nil is this one
}

// A Daemon is one configured genltestd.
type Daemon struct {
	cfg      *config.Config
	log      *slog.Logger
	notifier *systemd.Notifier
	receiver *receiver.Receiver
	opts     Options
	journal  *journal.Journal
	inbox    *journal.Inbox
	workers  []*worker
	echo     *echoLoop
	server   *control.Server // nil when switched off
	boxes    *boxes
	socket   *control.Server // of the operator's client
}

// New opens everything that can fail: the sockets, the journal, the HTTP address. When
// it fails, nothing is left open. A config.Errors says that the configuration is at
// fault.
func New(cfg *config.Config, opts Options) (_ *Daemon, err error) {
	var undo []func()
	defer func() {
		for i := len(undo) - 1; err != nil && i >= 0; i-- {
			undo[i]()
		}
	}()

	log := opts.Log
	if opts.Machine == nil {
		opts.Machine = thisMachine(log)
	}
	d := &Daemon{cfg: cfg, log: log, opts: opts, notifier: systemd.NewNotifier(component(log, "systemd"))}
	reg := prometheus.NewRegistry()
	m := metrics.New(reg, opts.Version, refusalReasons())
	if err := errors.Join(metrics.RegisterSinks(reg, d.sinkStates), metrics.RegisterJournal(reg, d.journalState)); err != nil {
		return nil, err
	}

	if err := opts.Dirs.create(); err != nil {
		return nil, err
	}
	d.journal, err = openJournal(&cfg.Journal, filepath.Join(opts.Dirs.State, "journal"))
	if err != nil {
		return nil, err
	}
	undo = append(undo, func() { d.journal.Close() })
	var fresh bool
	d.inbox, fresh, err = journal.OpenInbox(filepath.Join(opts.Dirs.Runtime, "inbox"), genl.BatchBytes)
	if err != nil {
		return nil, err
	}
	undo = append(undo, func() { d.inbox.Close() })
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("host name: %w", err)
	}
	origins := originTable(&cfg.Event, opts.Dirs.State, d.journal, opts.Machine, log)
	decode := decoder(d.journal.ID(), host, origins)
	if err := d.openBoxes(decode); err != nil {
		return nil, err
	}
	undo = append(undo, func() { d.boxes.Close() })
	for i := range cfg.Sinks {
		w, err := d.newWorker(&cfg.Sinks[i], decode, m)
		if err != nil {
			return nil, sinkError(cfg, i, err)
		}
		undo = append(undo, func() { w.Close() })
		d.workers = append(d.workers, w)
	}
	if err := d.forgetRemovedSinks(time.Now()); err != nil {
		return nil, err
	}
	d.socket, err = control.ListenSocket(filepath.Join(opts.Dirs.Runtime, api.SocketName), d.boxes, component(log, "control"))
	if err != nil {
		return nil, err
	}
	undo = append(undo, func() { d.socket.Close() })
	if cfg.HTTP.Listen != "" {
		d.server, err = control.Listen(cfg.HTTP.Listen, control.Pages{
			Metrics: reg, Refresh: d.countDrops, Health: d.alive, Ready: d.ready,
		}, component(log, "http"))
		if err != nil {
			return nil, err
		}
		undo = append(undo, func() { d.server.Close() })
	}
	d.echo = newEchoLoop(opts.Echo, cfg.Echo, m, component(log, "echo"))
	kernel := opts.Kernel
	if kernel == nil {
		kernel = &hostKernel{notifier: d.notifier, stored: systemd.Stored(), log: component(log, "receiver")}
	}
	// Last, so that nothing that can fail stands between the first event and the
	// sinks.
	d.receiver, err = receiver.New(receiver.Options{
		Kernel: kernel, Journal: d.journal, Inbox: d.inbox, FreshInbox: fresh,
		Metrics: m, BufferBytes: int(cfg.Receiver.Buffer), Log: component(log, "receiver"),
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// openBoxes opens the dead letters.
func (d *Daemon) openBoxes(decode delivery.Decoder) (err error) {
	d.boxes, err = openBoxes(d.cfg.Sinks, d.lettersDir, decode, d.replay, component(d.log, "delivery"))
	return err
}

func (d *Daemon) lettersDir(sink string) string {
	return filepath.Join(d.opts.Dirs.State, "deadletters", sink)
}

// replay has the worker of a sink look for dead letters to deliver again.
func (d *Daemon) replay(sink string) {
	for _, w := range d.workers {
		if w.Name == sink {
			w.Replay()
		}
	}
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
	receiving, delivering, serving := group{fail: fail}, group{fail: fail}, group{fail: fail}

	if d.server != nil {
		serving.start(func() error { return d.server.Run(serveCtx) })
		d.log.Info("serving metrics", "address", d.server.Addr())
	}
	serving.start(func() error { return d.socket.Run(serveCtx) })
	serving.start(func() error { d.notifier.Watchdog(serveCtx, d.alive); return nil })
	for _, w := range d.workers {
		delivering.start(func() error { return w.Run(deliverCtx) })
	}
	receiving.start(func() error { return d.receiver.Run(ctx) })
	receiving.start(func() error { d.echo.run(ctx); return nil })
	receiving.start(func() error { d.reportStatus(ctx); return nil })
	receiving.start(func() error { d.lookAfterRemovedSinks(ctx); return nil })
	d.notifier.Ready()

	<-ctx.Done()
	d.notifier.Stopping()
	d.log.Info("stopping", "cause", context.Cause(ctx))
	// Against the flow of data: what feeds the next part ends first. What answers
	// operators ends last, so that the counters are true until the end.
	receiving.wg.Wait()
	d.journal.Seal()
	d.drain(&delivering, abandon)
	if err := errors.Join(d.journal.Close(), d.inbox.Close()); err != nil {
		d.log.Error("closing the journal", "error", err)
	}
	stopServing()
	serving.wg.Wait()
	if err := d.boxes.Close(); err != nil {
		d.log.Error("closing the dead letters", "error", err)
	}
	if parent.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// ReopenFiles lets go of the files that sinks write to; each opens what has the
// name when its next event comes. It does not block, and may be called at any time.
func (d *Daemon) ReopenFiles() {
	for _, w := range d.workers {
		w.reopen()
	}
}

// abandonGrace is what a sink gets to return after its context has ended.
const abandonGrace = time.Second

// drain waits for the workers, up to the limit, and says what was left.
func (d *Daemon) drain(delivering *group, abandon func()) {
	done := make(chan struct{})
	go func() { delivering.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Duration(d.cfg.Shutdown.Drain)):
		abandon()
		select {
		case <-done:
		case <-time.After(abandonGrace):
		}
	}
	for _, w := range d.workers {
		if s := w.State(); s.Waiting+s.InFlight > 0 {
			d.log.Warn("stopping with events that the sink has not taken; the next start goes on with them", "sink", s.Name, "events", s.Waiting+s.InFlight, "last_error", s.LastError)
		}
	}
}

// A group is goroutines that are waited for together. The first error ends the
// daemon.
type group struct {
	wg   sync.WaitGroup
	fail context.CancelCauseFunc
}

func (g *group) start(run func() error) {
	g.wg.Go(func() {
		if err := run(); err != nil {
			g.fail(err)
		}
	})
}

func component(log *slog.Logger, name string) *slog.Logger { return log.With("component", name) }
