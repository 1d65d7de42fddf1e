// SPDX-License-Identifier: Apache-2.0

package origin

import (
	"sort"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Table has the origin of every event. It does not change, and many goroutines
// may use it.
type Table struct {
	unknown *event.Origin // of events before the first
	rows    []row
}

type row struct {
	first  uint64
	origin *event.Origin // nil adds nothing
}

// Table returns what to add to events: always what is in every, and of the boot in
// which the event was received what is asked for.
func (b *Boots) Table(every event.Origin, bootID, release bool) *Table {
	t := &Table{unknown: origin(every, Boot{})}
	for _, s := range b.spans {
		boot := s.boot
		if !bootID {
			boot.ID = ""
		}
		if !release {
			boot.Release = ""
		}
		t.rows = append(t.rows, row{s.first, origin(every, boot)})
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

// Of returns the origin of the event with the number seq, nil for none. It allocates
// nothing: all events of a boot have the same.
func (t *Table) Of(seq uint64) *event.Origin {
	n := sort.Search(len(t.rows), func(i int) bool { return t.rows[i].first > seq })
	if n == 0 {
		return t.unknown
	}
	return t.rows[n-1].origin
}
