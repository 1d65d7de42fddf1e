// SPDX-License-Identifier: Apache-2.0

package origin

import (
	"sort"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Table maps events to their host and origin. It is immutable, and therefore safe for
// concurrent use.
type Table struct {
	unknown row // for events before the first row
	rows    []row
}

type row struct {
	first  uint64
	host   string        // empty if unknown
	origin *event.Origin // nil if all its fields are empty
}

// Table returns a Table that adds every to all events. bootID and release select whether it
// also adds these fields of the boot in which an event was received.
func (b *Boots) Table(every event.Origin, bootID, release bool) *Table {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := &Table{unknown: row{origin: origin(every, Boot{})}}
	for i, s := range b.spans {
		if i == 0 {
			t.unknown.host = s.host
		}
		boot := s.boot
		if !bootID {
			boot.ID = ""
		}
		if !release {
			boot.Release = ""
		}
		t.rows = append(t.rows, row{s.first, s.host, origin(every, boot)})
	}
	return t
}

func origin(every event.Origin, boot Boot) *event.Origin {
	every.BootID, every.KernelRelease = boot.ID, boot.Release
	if every.MachineID == "" && every.BootID == "" && every.KernelRelease == "" && len(every.Labels) == 0 {
		return nil
	}
	return &every
}

// Of returns the origin of the event with number seq, which may be nil, and its host, which
// is empty if unknown. It does not allocate: events of a boot share the origin.
func (t *Table) Of(seq uint64) (o *event.Origin, host string) {
	r := &t.unknown
	if n := sort.Search(len(t.rows), func(i int) bool { return t.rows[i].first > seq }); n > 0 {
		r = &t.rows[n-1]
	}
	return r.origin, r.host
}
