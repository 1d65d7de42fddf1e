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
	"github.com/genltestd/genltestd/metrics"
)

// pollsPerWait is how often fillBatch looks for more records during BatchWait. Each poll
// costs a wake-up; blocking until each next event would cost one wake-up per event.
const pollsPerWait = 10

// maxReadsPerBatch ends a batch to which the rules let no events pass, so that the cursor
// advances.
const maxReadsPerBatch = 64

// fillBatch fills the batch with the events that pass the rules. A batch without items may
// still contain a range of the journal. The error is io.EOF when the journal is sealed and
// completely read, or the error of the context. Any other error is an I/O error, and
// fillBatch may be called again.
func (w *Worker) fillBatch(ctx context.Context, b *batch) error {
	n, skipped, err := w.read(ctx)
	for reads := 1; ; reads++ {
		if n == 0 && skipped > 0 {
			b.last = w.records[0]
		}
		if n > 0 || skipped > 0 {
			w.addRecords(b, w.records[:n], skipped)
		}
		if err != nil {
			return w.endBatch(b, err)
		}
		if b.begun.IsZero() { // interrupted for another reason
			w.summarize(b, false)
			return nil
		}
		if w.full(b) || reads == maxReadsPerBatch {
			return nil
		}
		n, skipped, err = w.tryRead(b)
		if n == 0 && err == nil && w.queue.await(ctx) {
			n, skipped, err = w.tryRead(b) // what has arrived meanwhile
		}
		if n == 0 && err == nil && !w.waitForMore(ctx, b) {
			return nil
		}
	}
}

// tryRead reads records for the rest of the batch, without waiting.
func (w *Worker) tryRead(b *batch) (n int, skipped uint64, err error) {
	return w.Reader.TryRead(w.records[:min(len(w.records), w.Options.BatchEvents-len(b.items))])
}

// read waits for records. The wait is short while other work is pending.
func (w *Worker) read(ctx context.Context) (n int, skipped uint64, err error) {
	if w.health.failing(journalReads) {
		n, skipped, err = w.Reader.TryRead(w.records)
		if n > 0 || err != nil {
			return n, skipped, err
		}
		w.health.clear(journalReads) // all records are read, so the fault is over
	}
	limit := w.readTimeout()
	if limit == 0 {
		return w.Reader.Read(ctx, w.records)
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	n, skipped, err = w.Reader.Read(limited, w.records)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = nil
	}
	return n, skipped, err
}

// readTimeout returns how long to wait for records: until the next summary, or until the
// next retry of a failed operation. 0 means unlimited.
func (w *Worker) readTimeout() time.Duration {
	limit := time.Duration(0)
	if w.unsummarized > 0 {
		limit = time.Second
	}
	if !w.health.failing(letterReplays) && !w.health.failing(cursorWrites) {
		w.retries.succeeded()
		return limit
	}
	if pause := w.retries.failed(false, 0); limit == 0 || pause < limit {
		limit = pause
	}
	return limit
}

// endBatch handles an error of the reader. It returns nil if the batch has content, which
// is delivered first.
func (w *Worker) endBatch(b *batch, err error) error {
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

// waitForMore sleeps for a part of BatchWait, and reports false when BatchWait is over.
func (w *Worker) waitForMore(ctx context.Context, b *batch) bool {
	left := w.Options.BatchWait - time.Since(b.begun)
	if left <= 0 {
		return false
	}
	return sleep(ctx, min(left, max(w.Options.BatchWait/pollsPerWait, time.Millisecond)))
}

// sleep waits for d, and reports false if the context ended first.
func sleep(ctx context.Context, d time.Duration) bool { return sleepUnless(ctx, d, nil) }

// addRecords adds records to the batch and to the account.
func (w *Worker) addRecords(b *batch, records []journal.Record, skipped uint64) {
	if b.begun.IsZero() {
		b.begun = time.Now()
	}
	before := len(b.items)
	clear(w.suppressed)
	r := readCounts{records: uint64(len(records)), skipped: skipped, suppressed: w.suppressed}
	b.tail += skipped
	for i := range records {
		b.tail++
		if w.event = w.decode(b, &records[i]); w.event.Canary {
			w.suppressed[metrics.SuppressedCanary]++
			r.canary = canaryOf(&w.event)
			continue
		}
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
			w.unsummarized++
		default:
			w.summarize(b, false)
			b.addRecord(records[i], &w.event)
		}
	}
	r.undecoded = w.undecoded.report(w.health)
	w.account.addRead(&r, b.items[before:])
	if len(records) > 0 {
		b.last = records[len(records)-1]
		b.last.Data = nil
	}
	if skipped > 0 {
		w.limits.Error("events dropped: the journal reached its size limit, or was damaged, before the sink accepted them",
			"events", skipped)
	}
}

// decode copies the record into the batch, because the next read overwrites it, and
// decodes the copy.
func (w *Worker) decode(b *batch, r *journal.Record) event.Event {
	r.Data = b.memory.copy(r.Data)
	e, err := w.Decode(*r)
	if w.undecoded.note(err); err != nil {
		// The receiver validated the message, so this is a bug. The event is delivered
		// with the fields that were decoded.
		w.limits.Error("cannot decode an event", "seq", r.Seq, "error", err)
	}
	return e
}

// undecoded counts the records since the last report that could not be decoded.
type undecoded struct {
	total     uint64
	afterGood uint64 // after the last decoded record
	good      bool   // at least one record was decoded
	err       error
}

func (u *undecoded) note(err error) {
	if err == nil {
		u.good, u.afterGood = true, 0
		return
	}
	u.total++
	u.afterGood++
	u.err = err
}

// report updates the health of the sink, resets the counts and returns the total.
func (u *undecoded) report(h *health) (total uint64) {
	h.noteDecoding(u.good, u.afterGood, u.err)
	total = u.total
	*u = undecoded{}
	return total
}

func (b *batch) addRecord(r journal.Record, e *event.Event) {
	b.add(item{record: r, span: b.tail}, e)
	b.bytes += e.Size()
	b.tail = 0
}

// summarize adds the summaries of suppressed events whose interval is over; with end set,
// it adds all of them.
func (w *Worker) summarize(b *batch, end bool) {
	if w.unsummarized == 0 {
		return // avoids reading the clock for each event
	}
	w.summaries = w.Rules.Summaries(w.summaries[:0], time.Now(), end)
	for i := range w.summaries {
		e := &w.summaries[i]
		w.unsummarized -= min(e.Suppressed.Count, w.unsummarized)
		b.add(item{summary: true}, e)
	}
}
