// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/sink"
)

// newSink creates the sink of an entry.
func (o *Options) newSink(c *config.Sink, encoder event.Encoder) (sink.Sink, error) {
	return c.Config.New(o.environment(c.Name, encoder))
}

// environment returns the parts of the daemon that a sink uses.
func (o *Options) environment(name string, encoder event.Encoder) sink.Env {
	env := sink.Env{
		Version: o.Version, Sink: name, Encoder: encoder, Stdout: o.Stdout, Mask: o.mask, Reaper: o.reaper, Position: o.Dirs.position(name),
		Compile: pipeline.CompileTemplate,
	}
	if o.Log != nil {
		env.Log = component(o.Log, "sink").With("sink", name)
	}
	if o.Machine != nil {
		env.BootID = o.Machine.Boot.ID
	}
	if o.clock != nil {
		env.Now, env.Age = o.clock.Now, o.clock.Age
	}
	return env
}

var journalFsync = map[string]journal.Fsync{
	config.FsyncInterval: journal.FsyncInterval,
	config.FsyncAlways:   journal.FsyncAlways,
	config.FsyncNever:    journal.FsyncNever,
}

// JournalDir returns the directory of the journal.
func JournalDir(c *config.Journal, dirs Dirs) string {
	return cmp.Or(c.Path, dirs.journal())
}

func (d *Daemon) openJournal(c *config.Journal, log *slog.Logger) (*journal.Journal, error) {
	o := journalOptions(c)
	o.Now, o.Steady, o.Log, o.FS = d.clock.Now, d.clock.Steady, log, d.opts.journalFS
	d.journalDir = JournalDir(c, d.opts.Dirs)
	return journal.Open(d.journalDir, o)
}

func journalOptions(c *config.Journal) journal.Options {
	return journal.Options{
		MaxBytes: int64(c.MaxBytes), MaxAge: time.Duration(c.MaxAge),
		Fsync: journalFsync[c.Fsync], SyncInterval: time.Duration(c.SyncInterval),
	}
}
