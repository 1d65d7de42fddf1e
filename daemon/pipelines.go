// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"log/slog"
	"path/filepath"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/reload"
)

// openPipelines opens the pipelines of all sinks.
func (d *Daemon) openPipelines(checked *pipeline.Checked) (*pipeline.Set, error) {
	set, err := pipeline.Open(checked, pipeline.Options{
		Journal: d.journal, Decode: d.decoder.Decode, Clock: d.clock, Latency: d.metrics.SinkLatency, EndToEnd: d.metrics.SinkEndToEnd,
		Canaries: d.canaries, State: d.state, Log: d.log,
		NewSink:    d.opts.newSink,
		LettersDir: d.opts.Dirs.letters, PositionFile: d.opts.Dirs.position,
		Files: d.opts.Files, RemovedFile: filepath.Join(d.opts.Dirs.State, pipeline.RemovedFile),
		PausedFile: filepath.Join(d.opts.Dirs.State, pipeline.PausedFile),
	})
	if err != nil {
		return nil, err
	}
	set.ForgetRemoved()
	return set, nil
}

// newReloader returns the Reloader, which starts with cfg.
func (d *Daemon) newReloader(cfg *config.Config) *reload.Reloader {
	return reload.New(reload.Options{
		Source: d.opts.Source, Fingerprint: d.opts.Fingerprint, Config: cfg,
		Pipelines: d.pipelines, Notifier: d.notifier, Log: d.log,
		Check:    func(cfg *config.Config) (*pipeline.Checked, config.Errors) { return check(cfg, nil, d.opts.Dirs) },
		Warnings: warnings, Families: d.planFamilies, Listen: d.movePages, Configure: d.configure,
		OnEnd: func() { d.notifier.Status("%s", d.statusLine()) },
	})
}

// configure applies the settings that no sink has.
func (d *Daemon) configure(checked *pipeline.Checked) {
	after := checked.Config
	d.opts.Level.Set(slog.Level(after.Log.Level))
	d.journal.Configure(journalOptions(&after.Journal))
	d.useSpecs(after, checked.Specs)
	d.reception.ConfigureEcho(echoConfig(after.Echo))
	d.origins.Configure(originConfig(&after.Event))
}
