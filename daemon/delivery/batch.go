// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"time"

	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
)

// An item is the delivery state of one event.
type item struct {
	record   journal.Record // empty for a summary of suppressed events
	summary  bool           // the event is a summary of suppressed events, not a journal record
	span     uint64         // journal records that are finished together with this item
	attempts int            // failed attempts that contained the event
	outcome  outcome        // empty until it is decided
}

func (i item) delivered() bool { return i.outcome == delivered }

// A batch is a range of the journal with the events of it that the sink receives. One
// goroutine uses it at a time. It contains all state that another one needs to continue.
type batch struct {
	items  []item
	events []event.Event  // the events of items, in the same order
	bytes  int            // sizes of all events
	last   journal.Record // last record of the range, without its data
	tail   uint64         // records after the last item
	begun  time.Time      // time of the first read; zero before it
	memory arena

	letters letters

	replay    bool // contains dead letters, which are not part of the journal's range
	decided   int  // number of items that have an outcome
	counted   int  // number of items that the account has counted
	committed int  // number of items that the cursor has passed
	finished  bool // all items are counted
}

// clear makes the batch empty and keeps its memory.
func (b *batch) clear() {
	*b = batch{items: b.items[:0], events: b.events[:0], memory: b.memory, letters: letters{waiting: b.letters.waiting[:0]}}
	b.memory.clear()
}

// empty reports whether the batch has neither records nor summaries.
func (b *batch) empty() bool { return b.begun.IsZero() && len(b.items) == 0 }

func (b *batch) add(i item, e *event.Event) {
	b.items = append(b.items, i)
	b.events = append(b.events, *e)
}

// undecided returns the items without an outcome, and their events.
func (b *batch) undecided() ([]item, []event.Event) { return b.items[b.decided:], b.events[b.decided:] }

// decide sets the outcome of the next n items.
func (b *batch) decide(n int, o outcome) {
	for i := range b.items[b.decided : b.decided+n] {
		b.items[b.decided+i].outcome = o
	}
	b.decided += n
}

// uncounted returns the items that have an outcome which is not counted yet.
func (b *batch) uncounted() []item { return b.items[b.counted:b.decided] }

// id returns the id of the event of item i.
func (b *batch) id(i int) deadletter.ID {
	return deadletter.ID{Journal: b.events[i].JournalID, Seq: b.events[i].Seq}
}

// An arena holds copies of records, because the reader reuses its memory. It never frees
// its chunks: batches need similar amounts.
type arena struct {
	chunks [][]byte
	used   int // number of full chunks
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
