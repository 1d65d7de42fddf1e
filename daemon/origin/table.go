// SPDX-License-Identifier: Apache-2.0

package origin

import (
	"sort"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Table has the host and the origin of every event. It does not change, and many
// goroutines may use it.
type Table struct {
	unknown row // of events before the first
	rows    []row
}

type row struct {
	first  uint64
	host   string        // empty when it is not known
	origin *event.Origin // nil adds nothing
}

// Table returns what to add to events: always what is in every, and of the boot in
// which the event was received what is asked for.
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

// Of returns the origin of the event with the number seq, nil for none, and its host, empty
// when it is not known. It allocates nothing: all events of a boot have the same.
func (t *Table) Of(seq uint64) (o *event.Origin, host string) {
	r := &t.unknown
	if n := sort.Search(len(t.rows), func(i int) bool { return t.rows[i].first > seq }); n > 0 {
		r = &t.rows[n-1]
	}
	return r.origin, r.host
}
