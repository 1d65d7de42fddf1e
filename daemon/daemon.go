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
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/canary"
	"github.com/genltestd/genltestd/daemon/clock"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/endpoint"
	"github.com/genltestd/genltestd/daemon/families"
	"github.com/genltestd/genltestd/daemon/inspect"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/reception"
	"github.com/genltestd/genltestd/daemon/record"
	"github.com/genltestd/genltestd/daemon/reload"
	"github.com/genltestd/genltestd/daemon/systemd"
	"github.com/genltestd/genltestd/daemon/teardown"
	"github.com/genltestd/genltestd/daemon/web"
	"github.com/genltestd/genltestd/internal/progress"
	"github.com/genltestd/genltestd/metrics"
)

// A Daemon is one running genltestd.
type Daemon struct {
	log      *slog.Logger
	repeats  *ratelog.Logger // for lines that may repeat
	opts     Options
	metrics  *metrics.Metrics
	started  time.Time
	notifier *systemd.Notifier
	passed   systemd.Passed
	state    *stateFaults
	clock    *clock.Clock
	lastStep atomic.Pointer[clockStep] // nil without one

	keepsClock progress.Beat // of maintainClock
	limits     limits
	since      faultTimes
	journal    *journal.Journal
	journalDir string
	status     *statusReporter
	reception  *reception.Set
	origins    *origin.Tracker
	decoder    *record.Decoder
	specs      atomic.Pointer[families.Specs] // of the decoder
	canaries   *canary.Tracker
	pipelines  *pipeline.Set
	reloads    *reload.Reloader
	inspector  *inspect.Inspector
	pages      web.Pages
	socket     *endpoint.Endpoint // of the operator's client
	serving    *group             // that Run uses
	stopPages  context.CancelFunc // nil before the pages are served

	mu  sync.Mutex         // guards web
	web *endpoint.Endpoint // of the pages; nil if they are switched off
}

// New opens the journal, subscribes to the families, and then opens the other parts. Run
// retries a sink or an address that cannot be opened. New returns an error, and leaves
// nothing open, if the journal, an inbox or an event socket cannot be opened. It logs all
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
	d := &Daemon{
		log: log, repeats: ratelog.New(log), opts: opts, started: time.Now(), limits: defaultLimits(),
		notifier: systemd.NewNotifier(component(log, "systemd")), passed: systemd.TakePassed(),
	}
	defer d.notifier.Extend(maxStart)() // a journal on a slow disk
	reg := prometheus.NewRegistry()
	if err := d.register(reg); err != nil {
		return nil, err
	}
	checked, err := d.check(cfg)
	if err != nil {
		return nil, err
	}
	if err := d.openFiles(&cfg.Journal, &undo); err != nil {
		return nil, err
	}
	d.status = newStatusReporter(d.statusLine, d.unsettled, func(line string) { d.notifier.Status("%s", line) })
	// Before all parts that can wait: from now on events wait in the socket.
	if d.reception, err = d.openReception(cfg, reg); err != nil {
		return nil, err
	}
	undo.Push(d.reception.Abandon)
	d.canaries = canary.New(d.reception)
	d.origins = d.openOrigins(&cfg.Event)
	d.useSpecs(cfg, checked.Specs)
	d.decoder = d.newDecoder()
	if d.pipelines, err = d.openPipelines(checked); err != nil {
		return nil, err
	}
	d.reloads = d.newReloader(cfg)
	d.inspector = d.newInspector()
	d.pages = web.Pages{
		Metrics: reg, Refresh: d.refresh, Health: d.liveness, Ready: d.readiness, Status: d.Status, Config: d.printConfig,
	}
	d.socket, d.web = d.controlSocket(), d.pagesAt(&cfg.HTTP)
	for _, e := range d.endpoints() {
		e.Bind()
	}
	return d, nil
}

// check logs all warnings and faults of the configuration, and returns those that make it invalid.
func (d *Daemon) check(cfg *config.Config) (*pipeline.Checked, error) {
	checked, faults := check(cfg, nil, d.opts.Dirs)
	for _, w := range warnings(checked) {
		d.log.Warn("configuration: " + w.Error())
	}
	for _, f := range faults {
		d.log.Error("configuration: " + f.Error())
	}
	if len(checked.Invalid) > 0 {
		return nil, checked.Invalid
	}
	return checked, nil
}

// openFiles opens the clock and the journal.
func (d *Daemon) openFiles(cfg *config.Journal, undo *teardown.Stack) (err error) {
	if err := d.opts.Dirs.create(); err != nil {
		return err
	}
	d.state = newStateFaults(component(d.log, "state"), d.metrics)
	d.clock = d.openClock()
	d.opts.clock = d.clock
	if d.journal, err = d.openJournal(cfg, component(d.log, "journal")); err != nil {
		return err
	}
	undo.Push(d.journal.Close)
	return nil
}

// register creates the metrics and adds them to a registry.
func (d *Daemon) register(reg *prometheus.Registry) error {
	d.metrics = metrics.New(reg, d.opts.Version)
	return errors.Join(
		metrics.RegisterSinks(reg, func() []metrics.SinkState { return d.pipelines.Measured() }),
		metrics.RegisterJournal(reg, d.journalState),
		metrics.RegisterConfig(reg, func() metrics.ConfigState { return d.reloads.State() }),
		metrics.RegisterListeners(reg, d.listening),
		metrics.RegisterFamilies(reg, d.familyStates),
		metrics.RegisterCanary(reg, d.canaryState),
	)
}

// printConfig prints the configuration in use, without its secrets.
func (d *Daemon) printConfig(w io.Writer) error { return d.reloads.Config().Print(w) }

// Reload reads the configuration again and uses it, while Run runs; see reload.Reloader.
func (d *Daemon) Reload(ctx context.Context) (*api.Reload, error) { return d.reloads.Reload(ctx) }

// ReopenFiles closes the files that sinks write to. Each sink opens the file of that name
// when its next event arrives. It does not block, and may be called at any time.
func (d *Daemon) ReopenFiles() { d.pipelines.ReopenFiles() }

func component(log *slog.Logger, name string) *slog.Logger { return log.With("component", name) }
