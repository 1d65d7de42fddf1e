// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/match"
)

// Of a batch's wait, so many looks are made at what has come: each costs a wake-up,
// where waiting for each event would cost one an event.
const looksAWait = 10

// Rules may filter for long and let nothing pass; the cursor must move on.
const readsABatch = 64

// gather fills the batch with what the rules let pass. The batch may have no items
// and still be a stretch of the journal. The error is io.EOF when the journal is
// sealed and there is nothing more, or the context's; after any other, which the
// disk has caused, gather may be called again.
func (w *Worker) gather(ctx context.Context, b *batch) error {
	n, skipped, err := w.read(ctx)
	for reads := 1; ; reads++ {
		if n == 0 && skipped > 0 {
			b.last = w.records[0]
		}
		if n > 0 || skipped > 0 {
			w.take(b, w.records[:n], skipped)
		}
		if err != nil {
			return w.gathered(b, err)
		}
		if b.begun.IsZero() { // woken for another cause
			w.summarize(b, false)
			return nil
		}
		if w.full(b) || reads == readsABatch {
			return nil
		}
		n, skipped, err = w.Reader.TryRead(w.records[:min(len(w.records), w.Options.BatchEvents-len(b.items))])
		if n == 0 && err == nil && !w.await(ctx, b) {
			return nil
		}
	}
}

// read waits for records, but not for long while something else is to be done.
func (w *Worker) read(ctx context.Context) (n int, skipped uint64, err error) {
	if w.health.failing(journalReads) {
		n, skipped, err = w.Reader.TryRead(w.records)
		if n > 0 || err != nil {
			return n, skipped, err
		}
		w.health.clear(journalReads) // there is nothing to read, so there is no fault
	}
	limit := w.patience()
	if limit == 0 {
		return w.Reader.Read(ctx, w.records)
	}
	soon, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	n, skipped, err = w.Reader.Read(soon, w.records)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = nil
	}
	return n, skipped, err
}

// patience is how long to wait for records: until a summary may be due, or until what
// failed is to be tried again. 0 is no limit.
func (w *Worker) patience() time.Duration {
	limit := time.Duration(0)
	if w.owed > 0 {
		limit = time.Second
	}
	if !w.health.failing(letterReplays) && !w.health.failing(cursorWrites) {
		w.again.succeeded()
		return limit
	}
	if pause := w.again.failed(false, 0); limit == 0 || pause < limit {
		limit = pause
	}
	return limit
}

// gathered says what an error means for what the batch has already: it goes out
// first.
func (w *Worker) gathered(b *batch, err error) error {
	if errors.Is(err, io.EOF) {
		w.summarize(b, true)
	}
	if b.empty() {
		return err
	}
	return nil
}

func (w *Worker) full(b *batch) bool {
	return len(b.items) >= w.Options.BatchEvents || b.bytes >= w.Options.BatchBytes
}

// await sleeps a part of the batch's wait, and reports false when that is over.
func (w *Worker) await(ctx context.Context, b *batch) bool {
	left := w.Options.BatchWait - time.Since(b.begun)
	if left <= 0 {
		return false
	}
	return sleep(ctx, min(left, max(w.Options.BatchWait/looksAWait, time.Millisecond)))
}

// sleep waits, and reports false when the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// take puts records into the batch and into the account.
func (w *Worker) take(b *batch, records []journal.Record, skipped uint64) {
	if b.begun.IsZero() {
		b.begun = time.Now()
	}
	before := len(b.items)
	clear(w.suppressed)
	r := reading{records: uint64(len(records)), skipped: skipped, suppressed: w.suppressed}
	b.tail += skipped
	for i := range records {
		b.tail++
		w.event = w.decoded(b, &records[i])
		verdict, err := w.Rules.Evaluate(&w.event)
		if err != nil {
			r.ruleFails++
			w.limits.Warn("a rule failed; the event is delivered", "error", err)
		}
		switch {
		case verdict == match.Filtered:
			r.filtered++
		case verdict != match.Pass:
			w.suppressed[verdict.Reason()]++
			w.owed++
		default:
			w.summarize(b, false)
			b.addRecord(records[i], &w.event)
		}
	}
	r.undecoded = w.undecoded.report(w.health)
	w.account.took(&r, b.items[before:])
	if len(records) > 0 {
		b.last = records[len(records)-1]
		b.last.Data = nil
	}
	if skipped > 0 {
		w.limits.Error("events dropped: the journal reached its limit, or was damaged, before the sink took them", "events", skipped)
	}
}

// decoded copies the record, which the next Read overwrites, and decodes it.
func (w *Worker) decoded(b *batch, r *journal.Record) event.Event {
	r.Data = b.memory.copy(r.Data)
	e, err := w.Decode(*r)
	if w.undecoded.note(err); err != nil {
		// The receiver has checked the message, so this is a defect of ours: the
		// event is forwarded with what there is.
		w.limits.Error("cannot decode an event", "seq", r.Seq, "error", err)
	}
	return e
}

// undecoded counts records that could not be decoded since the last report.
type undecoded struct {
	all  uint64
	last uint64 // behind the last record that could be decoded
	good bool   // there was one
	err  error
}

func (u *undecoded) note(err error) {
	if err == nil {
		u.good, u.last = true, 0
		return
	}
	u.all++
	u.last++
	u.err = err
}

// report tells the sink's health, and returns how many there were.
func (u *undecoded) report(h *health) (all uint64) {
	h.decodes(u.good, u.last, u.err)
	all = u.all
	*u = undecoded{}
	return all
}

func (b *batch) addRecord(r journal.Record, e *event.Event) {
	b.add(item{record: r, span: b.tail}, e)
	b.bytes += len(e.Message)
	b.tail = 0
}

// summarize adds the news of suppressed events that is due.
func (w *Worker) summarize(b *batch, end bool) {
	if w.owed == 0 {
		return // without a look at the clock for each event
	}
	w.summaries = w.Rules.Summaries(w.summaries[:0], time.Now(), end)
	for i := range w.summaries {
		e := &w.summaries[i]
		w.owed -= min(e.Suppressed.Count, w.owed)
		b.add(item{summary: true}, e)
	}
}
