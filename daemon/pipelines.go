// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"log/slog"
	"path/filepath"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/echo"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/reload"
)

// openPipelines opens the pipelines of all sinks.
func (d *Daemon) openPipelines(checked *pipeline.Checked) (*pipeline.Set, error) {
	set, err := pipeline.Open(checked, pipeline.Options{
		Journal: d.journal, Decode: d.decoder.Decode, Clock: d.clock, Latency: d.metrics.SinkLatency, State: d.state, Log: d.log,
		NewSink:    d.opts.newSink,
		LettersDir: d.opts.Dirs.letters, PositionFile: d.opts.Dirs.position,
		Files: d.opts.Files, RemovedFile: filepath.Join(d.opts.Dirs.State, pipeline.RemovedFile),
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
		Warnings: Warnings, Listen: d.movePages, Configure: d.configure,
		OnEnd: func() { d.notifier.Status("%s", d.statusLine()) },
	})
}

func echoConfig(c config.Echo) echo.Config {
	return echo.Config{Interval: time.Duration(c.Interval), Timeout: time.Duration(c.Timeout)}
}

// configure applies the settings that no sink has.
func (d *Daemon) configure(before, after *config.Config) {
	if d.opts.Level != nil {
		d.opts.Level.Set(slog.Level(after.Log.Level))
	}
	d.journal.Configure(journalOptions(&after.Journal))
	if before.Receiver != after.Receiver {
		if err := d.receiver.SetBuffer(int(after.Receiver.Buffer)); err != nil {
			d.log.Error("cannot change the size of the receive buffer; the next start does", "error", err)
		}
	}
	d.echo.Configure(echoConfig(after.Echo))
	d.origins.Configure(originConfig(&after.Event))
}
