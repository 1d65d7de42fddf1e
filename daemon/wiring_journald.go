// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"github.com/coreos/go-systemd/v22/journal"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sink/journald"
)

var journaldPriority = map[config.JournaldPriority]journal.Priority{
	"alert":   journal.PriAlert,
	"crit":    journal.PriCrit,
	"err":     journal.PriErr,
	"warning": journal.PriWarning,
	"notice":  journal.PriNotice,
	"info":    journal.PriInfo,
	"debug":   journal.PriDebug,
}

func journaldOptions(c *config.Journald) journald.Options {
	opts := journald.Options{Socket: c.Socket, Identifier: c.Identifier, Priority: journaldPriority[c.Priority]}
	for _, f := range c.Fields {
		opts.Fields = append(opts.Fields, journald.Field(f))
	}
	return opts
}
