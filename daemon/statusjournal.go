// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"github.com/genltestd/genltestd/daemon/control/api"
)

// journalStatus returns the state of the journal, which has this fault or nil. unread is why its oldest event is unknown.
func (d *Daemon) journalStatus(fault error) (j api.Journal, unread error) {
	s, cfg := d.journal.Stats(), d.reloads.Config().Journal
	j = api.Journal{
		Path: d.journalDir, Accepting: fault == nil,
		Bytes: s.Bytes, MaxBytes: int64(cfg.MaxBytes), Last: s.Newest, Synced: s.Synced, Fsync: cfg.Fsync,
	}
	if s.First <= s.Newest {
		j.First = s.First
	}
	oldest, unread := d.journal.Oldest()
	j.Oldest = timeOrNil(oldest)
	return j, unread
}
