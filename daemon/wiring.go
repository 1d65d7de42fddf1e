// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/metrics"
)

// newSink makes the sink that a configuration entry describes.
func newSink(c *config.Sink, opts *Options) (sink.Sink, error) {
	encoder, err := newEncoder(c)
	if err != nil {
		return nil, err
	}
	return c.Config.New(opts.environment(c.Name, encoder))
}

// environment returns the parts of the daemon that a sink uses.
func (o *Options) environment(name string, encoder event.Encoder) sink.Env {
	env := sink.Env{
		Version: o.Version, Encoder: encoder, Stdout: o.Stdout, Mask: o.mask, Reaper: o.reaper, Position: o.Dirs.position(name),
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

// checkSink returns the faults of a well-formed entry that depend on the machine, as
// sink.OptionErrors. It opens nothing and uses no network.
func checkSink(c *config.Sink) error {
	verifier, ok := c.Config.(sink.Verifier)
	if !ok {
		return nil
	}
	encoder, err := newEncoder(c)
	if err != nil {
		encoder = event.JSON{} // checkEnvelope reports it; the faults of the kind are found too
	}
	return verifier.Verify(encoder)
}

// newCompiler returns the compiler of the rules of all sinks of a configuration.
func newCompiler(cfg *config.Config) *match.Compiler {
	fields := map[string]match.FieldValues{
		"kind":       {Values: event.Kinds()},
		"gap.reason": {Values: []string{"", metrics.LostKernelBuffer, metrics.LostNotSubscribed, metrics.LostUnexplained}},
		"family":     {Values: []string{genl.FamilyName}},
		"group":      {Values: []string{genl.GroupName}},
	}
	e := &cfg.Event
	for field, added := range map[string]bool{"machine_id": e.MachineID, "boot_id": e.BootID, "kernel_release": e.KernelRelease} {
		if !added {
			fields[field] = match.FieldValues{Values: []string{""}, Advice: "it is empty unless event." + field + " is true"}
		}
	}
	vocabulary := match.Vocabulary{Fields: fields}
	if !cfg.HasFault(cfg.Fault("event", "")) {
		vocabulary.Labels = append([]string{}, slices.Sorted(maps.Keys(e.Labels))...)
	}
	return match.NewCompiler(vocabulary)
}

// newRules compiles the rules of a sink; its errors are sink.OptionErrors.
func newRules(c *config.Sink, compiler *match.Compiler) (*match.Rules, error) {
	rules, err := compiler.Compile(ruleOptions(c))
	var faults []error
	for _, err := range leaves(err) {
		var fault *match.Error
		if errors.As(err, &fault) {
			err = optionError(fault)
		}
		faults = append(faults, err)
	}
	return rules, errors.Join(faults...)
}

// optionError gives an error its place within the expression.
func optionError(fault *match.Error) error {
	var placed *match.PositionError
	if errors.As(fault.Err, &placed) {
		return &sink.OptionError{Key: fault.Key, Err: errors.New(placed.Text), Line: placed.Line, Column: placed.Column}
	}
	return &sink.OptionError{Key: fault.Key, Err: fault.Err}
}

func ruleOptions(c *config.Sink) match.Options {
	return match.Options{
		Filter: c.Filter, Extract: c.Extract, Sample: c.Sample,
		RateLimit: match.RateLimit{Events: c.RateLimit.Events, Per: time.Duration(c.RateLimit.Per), Burst: c.RateLimit.Burst},
		Dedup:     match.Dedup{Window: time.Duration(c.Dedup.Window), Key: c.Dedup.Key},
	}
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
	o.Now, o.Steady, o.Log = d.clock.Now, d.clock.Steady, log
	return journal.Open(JournalDir(c, d.opts.Dirs), o)
}

func journalOptions(c *config.Journal) journal.Options {
	return journal.Options{
		MaxBytes: int64(c.MaxBytes), MaxAge: time.Duration(c.MaxAge),
		Fsync: journalFsync[c.Fsync], SyncInterval: time.Duration(c.SyncInterval),
	}
}

func refusalReasons() []string {
	var reasons []string
	for _, v := range genl.Refusals() {
		reasons = append(reasons, v.String())
	}
	return reasons
}
