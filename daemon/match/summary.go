// SPDX-License-Identifier: Apache-2.0

package match

import (
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// summaryAfter is how long a period of suppression lasts at most. Summaries that
// came sooner would be as many as the events that a limit lets pass.
const summaryAfter = 10 * time.Second

// A period counts what was suppressed for one reason since the last summary.
type period struct {
	count    uint64
	from, to time.Time // receipt of the first and the last
	began    time.Time // from, by the steady clock
	since    time.Time // when Summaries first saw it, by the clock; zero if not yet
}

// A ledger keeps the periods of one sink.
type ledger struct {
	periods [len(reasons)]period
	last    event.Event   // the last one judged, without its text
	due     []event.Event // summaries to be taken
}

// begin ends the periods that have lasted long enough at that time, when the next event was
// received. It is called before that is judged.
func (l *ledger) begin(at time.Time) {
	for v := range l.periods {
		if p := &l.periods[v]; p.count > 0 && at.Sub(p.began).Abs() >= summaryAfter {
			l.due = append(l.due, l.summary(Verdict(v)))
		}
	}
}

// note counts e, which was received at that time, under its verdict.
func (l *ledger) note(e *event.Event, at time.Time, v Verdict) {
	l.last = event.Event{
		JournalID: e.JournalID, Seq: e.Seq, Time: e.Time,
		Host: e.Host, Family: e.Family, Group: e.Group, Origin: e.Origin,
	}
	if !v.Suppressed() {
		return
	}
	p := &l.periods[v]
	if p.count == 0 {
		p.from, p.began = e.Time, at
	}
	p.count++
	p.to = e.Time
}

// take appends the summaries that are due.
func (l *ledger) take(dst []event.Event, now time.Time, end bool) []event.Event {
	dst = append(dst, l.due...)
	l.due = nil
	for v := range l.periods {
		p := &l.periods[v]
		switch {
		case p.count == 0:
		case end || !p.since.IsZero() && now.Sub(p.since) >= summaryAfter:
			dst = append(dst, l.summary(Verdict(v)))
		case p.since.IsZero():
			p.since = now
		}
	}
	return dst
}

// summary tells of a period and ends it. It stands behind the last event judged and
// has that one's number: no sink sees a number that is less than one before. The
// reason makes its id unique, because a period has at least one event of its own.
func (l *ledger) summary(v Verdict) event.Event {
	p := &l.periods[v]
	e := l.last
	e.Suppressed = &event.Suppressed{Count: p.count, Reason: v.Reason(), From: p.from, To: p.to}
	*p = period{}
	return e
}
