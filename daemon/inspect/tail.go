// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"time"

	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/journal"
)

const (
	// recordsAtOnce is the number of records between two chances of the other goroutines to run.
	recordsAtOnce = 64
	// writeBytes is the length of the lines that are written at once. The memory of a stream is
	// bounded by it and by the largest frame of the journal.
	writeBytes = 32 << 10
	// followPause is the time in which new events are collected, so that a stream of many events
	// does not cost a wake-up and a write for each.
	followPause = 10 * time.Millisecond
)

// A tail is one running stream.
type tail struct {
	*selection
	query   api.EventsQuery
	to      control.EventWriter
	end     uint64    // without Follow, the number at which the stream ends
	since   time.Time // skip the events before it, until one is not before it
	records []journal.Record
	lines   []byte
}

// Tail implements control.Events. A client that reads slowly delays only its own stream: the
// journal removes events without waiting for it, and the client receives their number.
func (i *Inspector) Tail(ctx context.Context, q api.EventsQuery, to control.EventWriter) error {
	s, err := i.selectionOf(&q)
	if err != nil {
		return err
	}
	t := &tail{selection: s, query: q, to: to, since: q.Since, end: i.Journal.End().Next, records: make([]journal.Record, recordsAtOnce)}
	at, err := i.begin(ctx, t)
	if err != nil {
		return err
	}
	if err := to.Flush(); err != nil { // the client learns that the query is valid
		return err
	}
	from := i.Journal.Follow(at)
	defer from.Close()
	for {
		n, missed, err := from.TryRead(t.records)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		t.appendMissed(missed)
		done := t.appendRecords(t.records[:n]) || err != nil || n == 0 && !q.Follow
		if err := t.write(done || n == 0); err != nil || done {
			return err
		}
		if runtime.Gosched(); n > 0 { // a stream of old events must not delay the receiver
			continue
		}
		if from.Wait(ctx) != nil || !pause(ctx) {
			return ctx.Err()
		}
	}
}

// pause reports false if the context ended.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(followPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (t *tail) appendMissed(count uint64) {
	if count > 0 {
		line, _ := json.Marshal(api.Missed{Kind: api.KindMissed, Count: count}) // cannot fail
		t.lines = append(append(t.lines, line...), '\n')
	}
}

// appendRecords reports whether the stream ends.
func (t *tail) appendRecords(records []journal.Record) (done bool) {
	for _, r := range records {
		if !t.query.Follow && r.Seq >= t.end {
			return true
		}
		if r.Time.Before(t.since) {
			continue
		}
		t.since = time.Time{}
		t.lines = t.appendLine(t.lines, r)
	}
	return false
}

// write writes the lines if they are many, or if all is set.
func (t *tail) write(all bool) error {
	if len(t.lines) == 0 || len(t.lines) < writeBytes && !all {
		return nil
	}
	_, err := t.to.Write(t.lines)
	if t.lines = t.lines[:0]; err == nil && all {
		err = t.to.Flush()
	}
	return err
}

// begin returns the position at which a stream begins.
func (i *Inspector) begin(ctx context.Context, t *tail) (journal.Position, error) {
	q, at := &t.query, i.Journal.Beginning()
	switch {
	case q.From != "":
		id, err := i.parseID(q.From)
		if err != nil {
			return at, named("from", err)
		}
		r, _, err := i.find(id)
		if err != nil {
			return at, named("from", err)
		}
		at = journal.Position{Next: r.Seq, Index: r.Index}
	case !q.Since.IsZero():
		at = i.Journal.Since(q.Since)
	case q.Limit == api.Unlimited:
		return i.Journal.End(), nil
	}
	if q.Limit == api.Unlimited {
		return at, nil
	}
	return i.last(ctx, t, at.Next)
}

// last returns the position of the first of the last selected events, as many as the limit, from
// the number first on.
func (i *Inspector) last(ctx context.Context, t *tail, first uint64) (journal.Position, error) {
	end := i.Journal.End()
	if t.query.Limit == 0 {
		return end, nil
	}
	var found window // of newer segments
	var segment window
	previous := uint64(0)
	err := i.Journal.Backward(func(r journal.Record) bool {
		if r.Seq < previous { // of the segment before
			found, segment = segment.with(found, t.query.Limit), nil
		}
		if previous = r.Seq; r.Seq < first || r.Time.Before(t.query.Since) || ctx.Err() != nil {
			return true
		}
		if t.selects(r) {
			segment = append(segment, journal.Position{Next: r.Seq, Index: r.Index})
		}
		if len(segment) >= 2*t.query.Limit {
			segment = segment.with(nil, t.query.Limit)
		}
		return len(found)+len(segment) >= t.query.Limit
	})
	if err != nil {
		return end, err
	}
	if found = segment.with(found, t.query.Limit); len(found) == 0 {
		return end, nil
	}
	return found[0], nil
}

func (t *tail) selects(r journal.Record) bool {
	if t.all(&t.query) {
		return true
	}
	_, selected, _ := t.event(r)
	return selected
}

// A window is positions of selected events, in order.
type window []journal.Position

// with returns the last limit positions of w and newer.
func (w window) with(newer window, limit int) window {
	all := append(w, newer...)
	return append(window(nil), all[max(0, len(all)-limit):]...)
}
