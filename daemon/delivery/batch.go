// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"time"

	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
)

// An item is one event on its way to the sink.
type item struct {
	record   journal.Record // empty of what tells of suppressed events
	event    event.Event
	span     uint64 // records of the journal that are dealt with when this one is
	attempts int    // that were made with it among others, and failed
}

// counts reports whether the item is an event of the journal, and not the news of
// some that were suppressed.
func (i *item) counts() bool { return i.event.Suppressed == nil }

func (i *item) id() deadletter.ID {
	return deadletter.ID{Journal: i.event.JournalID, Seq: i.event.Seq}
}

// A batch is a stretch of the journal, and the events in it that the sink is to
// get. It is used by one goroutine at a time.
type batch struct {
	items  []item
	events []event.Event  // scratch of the attempts
	bytes  int            // of the items' records
	last   journal.Record // up to which the batch reaches; without its data
	tail   uint64         // records behind the last item
	begun  time.Time      // when the first record was read; zero when the batch is empty
	memory arena

	replay    bool // dead letters, which are in no stretch of the journal
	done      int  // items that have found their fate
	committed int  // and items that the cursor has passed
	over      bool // all have
}

// clear makes the batch empty.
func (b *batch) clear() {
	*b = batch{items: b.items[:0], events: b.events[:0], memory: b.memory}
	b.memory.clear()
}

// empty reports whether nothing was read for the batch, and it tells of nothing.
func (b *batch) empty() bool { return b.begun.IsZero() && len(b.items) == 0 }

// left are the items that have no fate yet.
func (b *batch) left() []item { return b.items[b.done:] }

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
