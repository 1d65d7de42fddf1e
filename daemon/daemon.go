// SPDX-License-Identifier: Apache-2.0

// Package daemon creates the parts of genltestd, connects them, runs them, and reports their
// status. Data moves one way: kernel, receiver, journal, pipeline, sink.
package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/clock"
	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/echo"
	"github.com/genltestd/genltestd/daemon/endpoint"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/inbox"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/kernel"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/daemon/record"
	"github.com/genltestd/genltestd/daemon/reload"
	"github.com/genltestd/genltestd/daemon/systemd"
	"github.com/genltestd/genltestd/daemon/teardown"
	"github.com/genltestd/genltestd/metrics"
)

// A Daemon is one running genltestd.
type Daemon struct {
	log       *slog.Logger
	repeats   *ratelog.Logger // for lines that may repeat
	opts      Options
	metrics   *metrics.Metrics
	reception *metrics.Reception
	notifier  *systemd.Notifier
	state     *stateFaults
	clock     *clock.Clock
	journal   *journal.Journal
	inbox     *inbox.Inbox
	echo      *echo.Loop
	status    *statusReporter
	receiver  *receiver.Receiver
	origins   *origin.Tracker
	decoder   *record.Decoder
	pipelines *pipeline.Set
	reloads   *reload.Reloader
	pages     control.Pages
	socket    *endpoint.Endpoint // of the operator's client
	serving   *group             // that Run uses
	stopPages context.CancelFunc // nil before the pages are served

	mu  sync.Mutex         // guards web
	web *endpoint.Endpoint // of the pages; nil if they are switched off
}

// New opens the journal, subscribes to the family, and then opens the other parts. Run
// retries a sink or an address that cannot be opened. New returns an error, and leaves
// nothing open, if the journal, the inbox or the event socket cannot be opened. It logs all
// faults of the configuration that Check finds. It returns them as a config.Errors only if
// they cannot disappear while the configuration stays the same.
func New(cfg *config.Config, opts Options) (_ *Daemon, err error) {
	var undo teardown.Stack
	defer func() {
		if err != nil {
			err = errors.Join(err, undo.Run())
		}
	}()
	opts.setDefaults()
	log := opts.Log
	d := &Daemon{log: log, repeats: ratelog.New(log), opts: opts, notifier: systemd.NewNotifier(component(log, "systemd"))}
	defer d.notifier.Extend(maxStart)() // a journal on a slow disk
	reg := prometheus.NewRegistry()
	if err := d.register(reg); err != nil {
		return nil, err
	}
	checked, err := d.check(cfg)
	if err != nil {
		return nil, err
	}
	freshInbox, err := d.openFiles(&cfg.Journal, &undo)
	if err != nil {
		return nil, err
	}
	d.echo = echo.New(echoConfig(cfg.Echo), echo.Options{Prober: opts.Echo, Metrics: d.reception, Log: component(log, "echo")})
	d.status = newStatusReporter(d.statusLine, d.unsettled, func(line string) { d.notifier.Status("%s", line) })
	// Before all parts that can wait: from now on events wait in the socket.
	if d.receiver, err = d.openReceiver(&cfg.Receiver, freshInbox); err != nil {
		return nil, err
	}
	undo.Push(d.receiver.Close)
	d.origins = d.openOrigins(&cfg.Event)
	d.decoder = d.newDecoder()
	if d.pipelines, err = d.openPipelines(checked); err != nil {
		return nil, err
	}
	d.reloads = d.newReloader(cfg)
	d.pages = control.Pages{Metrics: reg, Refresh: d.countDrops, Health: d.alive, Ready: d.ready, Config: d.printConfig}
	d.socket, d.web = d.controlSocket(), d.pagesAt(&cfg.HTTP)
	for _, e := range d.endpoints() {
		e.Bind()
	}
	return d, nil
}

// check logs all faults of the configuration, and returns those that make it invalid.
func (d *Daemon) check(cfg *config.Config) (*pipeline.Checked, error) {
	checked, faults := check(cfg, nil, d.opts.Dirs)
	for _, f := range faults {
		d.log.Error("configuration: " + f.Error())
	}
	if len(checked.Invalid) > 0 {
		return nil, checked.Invalid
	}
	return checked, nil
}

// openFiles opens the clock, the journal and the inbox.
func (d *Daemon) openFiles(cfg *config.Journal, undo *teardown.Stack) (freshInbox bool, err error) {
	if err := d.opts.Dirs.create(); err != nil {
		return false, err
	}
	d.state = newStateFaults(component(d.log, "state"), d.metrics)
	d.clock = d.openClock()
	d.opts.clock = d.clock
	if d.journal, err = d.openJournal(cfg, component(d.log, "journal")); err != nil {
		return false, err
	}
	undo.Push(d.journal.Close)
	if d.inbox, freshInbox, err = inbox.Open(d.opts.Dirs.inbox(), genl.BatchBytes(genl.Genltest)); err != nil {
		return false, err
	}
	undo.Push(d.inbox.Close)
	d.checkInbox()
	return freshInbox, nil
}

func (d *Daemon) openReceiver(cfg *config.Receiver, freshInbox bool) (*receiver.Receiver, error) {
	return receiver.New(receiver.Options{
		Target: genl.Genltest, Kernel: d.kernel(), Journal: hostJournal{d.journal, func() *origin.Tracker { return d.origins }, &sync.Mutex{}},
		Inbox: d.inbox, FreshInbox: freshInbox, Metrics: d.reception, BufferBytes: int(cfg.Buffer),
		OnAppear: d.echo.Appeared, OnChange: d.status.look,
		Log: component(d.log, "receiver"), Now: d.clock.Now, Age: d.clock.Age,
	})
}

// register creates the metrics and adds them to a registry.
func (d *Daemon) register(reg *prometheus.Registry) error {
	d.metrics = metrics.New(reg, d.opts.Version)
	d.reception = metrics.NewReception(reg, metrics.ReceptionConfig{
		Family: genl.FamilyName, Group: genl.GroupName, Groups: genl.Genltest.Groups, Refusals: refusalReasons(), Echo: true,
	})
	return errors.Join(
		metrics.RegisterSinks(reg, func() []metrics.SinkState { return d.pipelines.States() }),
		metrics.RegisterJournal(reg, d.journalState),
		metrics.RegisterConfig(reg, func() metrics.ConfigState { return d.reloads.State() }),
		metrics.RegisterListeners(reg, d.listening),
	)
}

// kernel returns the kernel that sends the events.
func (d *Daemon) kernel() receiver.Kernel {
	if d.opts.Kernel != nil {
		return d.opts.Kernel
	}
	return kernel.New(d.notifier, systemd.Stored(), component(d.log, "receiver"))
}

// printConfig prints the configuration in use, without its secrets.
func (d *Daemon) printConfig(w io.Writer) error { return d.reloads.Config().Print(w) }

// Reload reads the configuration again and uses it, while Run runs; see reload.Reloader.
func (d *Daemon) Reload(ctx context.Context) (*api.Reload, error) { return d.reloads.Reload(ctx) }

// ReopenFiles closes the files that sinks write to. Each sink opens the file of that name
// when its next event arrives. It does not block, and may be called at any time.
func (d *Daemon) ReopenFiles() { d.pipelines.ReopenFiles() }

func component(log *slog.Logger, name string) *slog.Logger { return log.With("component", name) }
