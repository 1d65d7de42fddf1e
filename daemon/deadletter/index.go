// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"cmp"
	"slices"
	"time"
)

// An entry is the state of one letter in memory: 32 bytes.
type entry struct {
	seq     uint64
	number  uint64 // number of its record; 0 for a removed letter
	refused int64  // ns
	journal uint32 // position in index.journals
	marked  bool   // for replay
}

// An index finds letters by id. It is ordered like the events: by the journals in the order
// of their first letter, and by number within a journal.
type index struct {
	journals []string
	entries  []entry // includes removed letters, at most as many as existing ones
	gone     int
	marked   int
}

func (x *index) live() int { return len(x.entries) - x.gone }

// all yields the existing letters.
func (x *index) all(yield func(*entry) bool) {
	for i := range x.entries {
		if e := &x.entries[i]; e.number > 0 && !yield(e) {
			return
		}
	}
}

func (x *index) journal(name string) uint32 {
	i := slices.Index(x.journals, name)
	if i < 0 {
		i = len(x.journals)
		x.journals = append(x.journals, name)
	}
	return uint32(i)
}

func (x *index) id(e *entry) ID { return ID{x.journals[e.journal], e.seq} }

func (x *index) search(journal uint32, seq uint64) (at int, found bool) {
	return slices.BinarySearchFunc(x.entries, entry{journal: journal, seq: seq}, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.journal, b.journal), cmp.Compare(a.seq, b.seq))
	})
}

// find returns nil if the letter does not exist. The entry is valid until the index changes.
func (x *index) find(id ID) *entry {
	journal := slices.Index(x.journals, id.Journal)
	if journal < 0 {
		return nil
	}
	at, ok := x.search(uint32(journal), id.Seq)
	if !ok || x.entries[at].number == 0 {
		return nil
	}
	return &x.entries[at]
}

// put adds a letter, or replaces its older copy.
func (x *index) put(id ID, number uint64, refused time.Time) {
	e := entry{seq: id.Seq, number: number, refused: refused.UnixNano(), journal: x.journal(id.Journal)}
	at, found := x.search(e.journal, e.seq)
	if !found {
		x.entries = slices.Insert(x.entries, at, e)
		return
	}
	x.remove(&x.entries[at])
	x.entries[at] = e
	x.gone--
}

func (x *index) mark(e *entry, marked bool) {
	if e.marked == marked {
		return
	}
	if e.marked = marked; marked {
		x.marked++
	} else {
		x.marked--
	}
}

// remove marks the entry as removed but keeps its position. Call compact after the last one.
func (x *index) remove(e *entry) {
	if e.number > 0 {
		x.mark(e, false)
		e.number = 0
		x.gone++
	}
}

func (x *index) removeIf(gone func(*entry) bool) (n uint64) {
	for e := range x.all {
		if gone(e) {
			x.remove(e)
			n++
		}
	}
	x.compact()
	return n
}

// compact deletes the removed entries when they are the majority. So removing letters one
// by one costs as much as adding them.
func (x *index) compact() {
	if x.gone > len(x.entries)/2 {
		x.entries = slices.DeleteFunc(x.entries, func(e entry) bool { return e.number == 0 })
		x.gone = 0
	}
}
