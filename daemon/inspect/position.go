// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"time"

	"github.com/genltestd/genltestd/daemon/journal"
)

// After returns the position after an event of the journal.
func (i *Inspector) After(id string) (journal.Position, error) {
	parsed, err := i.parseID(id)
	if err != nil {
		return journal.Position{}, err
	}
	r, _, err := i.find(parsed)
	return journal.Position{Next: r.Seq + 1, Index: r.Index + 1}, err
}

// Received returns the position of the first event that was received at t or later, or the end of
// the journal.
func (i *Inspector) Received(t time.Time) (journal.Position, error) {
	at := i.Journal.End()
	err := i.Journal.Visit(i.Journal.Since(t).Next, func(r journal.Record) (next uint64) {
		if r.Time.Before(t) {
			return r.Seq
		}
		at = journal.Position{Next: r.Seq, Index: r.Index}
		return 0
	})
	return at, err
}
