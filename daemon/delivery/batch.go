// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"time"

	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
)

// An item is what delivery knows of one event on its way to the sink.
type item struct {
	record   journal.Record // empty of what tells of suppressed events
	summary  bool           // it tells of suppressed events, and is none of the journal
	span     uint64         // records of the journal that are dealt with when this one is
	attempts int            // that were made with it among others, and failed
	fate     fate           // once it is decided
}

func (i item) taken() bool { return i.fate == taken }

// A batch is a stretch of the journal, and the events in it that the sink is to
// get. It is used by one goroutine at a time, and has all that another needs to go on
// with it.
type batch struct {
	items  []item
	events []event.Event  // those of the items
	bytes  int            // of the items' texts
	last   journal.Record // up to which the batch reaches; without its data
	tail   uint64         // records behind the last item
	begun  time.Time      // when the first record was read; zero when the batch is empty
	memory arena

	letters letters

	replay    bool // dead letters, which are in no stretch of the journal
	decided   int  // items whose fate is known
	done      int  // and items that it was counted for
	committed int  // and items that the cursor has passed
	over      bool // all have
}

// clear makes the batch empty.
func (b *batch) clear() {
	*b = batch{items: b.items[:0], events: b.events[:0], memory: b.memory, letters: letters{waiting: b.letters.waiting[:0]}}
	b.memory.clear()
}

// empty reports whether nothing was read for the batch, and it tells of nothing.
func (b *batch) empty() bool { return b.begun.IsZero() && len(b.items) == 0 }

func (b *batch) add(i item, e *event.Event) {
	b.items = append(b.items, i)
	b.events = append(b.events, *e)
}

// left are the items that have no fate yet, and their events.
func (b *batch) left() ([]item, []event.Event) { return b.items[b.decided:], b.events[b.decided:] }

// decide gives the next n items a fate.
func (b *batch) decide(n int, f fate) {
	for i := range b.items[b.decided : b.decided+n] {
		b.items[b.decided+i].fate = f
	}
	b.decided += n
}

// uncounted are the items whose fate is decided and not counted.
func (b *batch) uncounted() []item { return b.items[b.done:b.decided] }

// id names the event of an item.
func (b *batch) id(i int) deadletter.ID {
	return deadletter.ID{Journal: b.events[i].JournalID, Seq: b.events[i].Seq}
}

// An arena keeps copies of records, whose memory the reader uses again. What it has
// allocated it keeps: batches are much alike.
type arena struct {
	chunks [][]byte
	used   int // chunks that are full
}

const chunkBytes = 64 << 10

func (a *arena) clear() {
	for i := range a.chunks {
		a.chunks[i] = a.chunks[i][:0]
	}
	a.used = 0
}

func (a *arena) copy(data []byte) []byte {
	for a.used < len(a.chunks) && cap(a.chunks[a.used])-len(a.chunks[a.used]) < len(data) {
		a.used++
	}
	if a.used == len(a.chunks) {
		a.chunks = append(a.chunks, make([]byte, 0, max(chunkBytes, len(data))))
	}
	c := &a.chunks[a.used]
	begin := len(*c)
	*c = append(*c, data...)
	return (*c)[begin:len(*c):len(*c)]
}
