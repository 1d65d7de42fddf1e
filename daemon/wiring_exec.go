// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/exec"
)

func newExec(c *config.Exec, encoder event.Encoder, from *Options) sink.Sink {
	opts := execOptions(c, encoder)
	opts.Reaper, opts.Mask = from.reaper, from.mask
	if c.Mode == config.ExecStream {
		return exec.NewStream(opts)
	}
	return exec.NewEvents(opts)
}

func execOptions(c *config.Exec, encoder event.Encoder) exec.Options {
	opts := exec.Options{
		Argv: c.Argv, Encoder: encoder, User: c.User, Grace: time.Duration(c.Grace),
		Timeout: time.Duration(c.Timeout), Concurrency: c.Concurrency,
		Limits: exec.Limits{
			Memory: int64(c.Limits.Memory), CPU: time.Duration(c.Limits.CPU),
			Files: c.Limits.Files, Processes: c.Limits.Processes,
		},
	}
	for _, v := range c.Environment {
		opts.Environment = append(opts.Environment, exec.Variable(v))
	}
	return opts
}
