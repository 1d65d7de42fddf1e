// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// journalStatus returns the state of the journal, and its faults.
func (d *Daemon) journalStatus() (j api.Journal, faults []api.Fault) {
	s, cfg := d.journal.Stats(), d.reloads.Config().Journal
	j = api.Journal{Bytes: s.Bytes, MaxBytes: int64(cfg.MaxBytes), Last: s.Newest, Synced: s.Synced, Fsync: cfg.Fsync}
	if s.First <= s.Newest {
		j.First = s.First
	}
	err := d.journalFault()
	if j.Accepting = err == nil; !j.Accepting {
		faults = append(faults, api.Fault{Text: oneLine(err, maxPageFault)})
	}
	oldest, err := d.journal.Oldest()
	if j.Oldest = timeOrNil(oldest); err != nil {
		err = fmt.Errorf("cannot read its oldest event: %w", err)
		faults = append(faults, api.Fault{Text: oneLine(err, maxPageFault)})
	}
	return j, faults
}
