// SPDX-License-Identifier: Apache-2.0

package match

import (
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// summaryAfter is the maximum length of a period of suppression. With a shorter one,
// summaries could be as many as the events that a limit lets pass.
const summaryAfter = 10 * time.Second

// A period counts what was suppressed for one reason since the last summary.
type period struct {
	count    uint64
	from, to time.Time // receipt of the first and the last
	began    time.Time // from, on the steady clock
	since    time.Time // when Summaries first saw the period, on the clock; zero before
}

// A ledger contains the periods of one sink.
type ledger struct {
	periods   [len(reasons)]period
	last      event.Event   // the last evaluated event, without its text
	completed []event.Event // summaries for the next appendCompleted
}

// begin ends the periods that have reached their length when the next event was
// received. It is called before that event is evaluated.
func (l *ledger) begin(at time.Time) {
	for v := range l.periods {
		if p := &l.periods[v]; p.count > 0 && at.Sub(p.began).Abs() >= summaryAfter {
			l.completed = append(l.completed, l.summary(Verdict(v)))
		}
	}
}

// count counts e, which was received at that time, under its verdict.
func (l *ledger) count(e *event.Event, at time.Time, v Verdict) {
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

// appendCompleted appends the summaries of completed periods.
func (l *ledger) appendCompleted(dst []event.Event, now time.Time, end bool) []event.Event {
	dst = append(dst, l.completed...)
	l.completed = nil
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

// summary returns the summary of a period and ends it. The summary has the number of
// the last evaluated event, so a sink never sees a number lower than an earlier one.
// The reason makes its id unique, because each period has at least one event.
func (l *ledger) summary(v Verdict) event.Event {
	p := &l.periods[v]
	e := l.last
	e.Suppressed = &event.Suppressed{Count: p.count, Reason: v.Reason(), From: p.from, To: p.to}
	*p = period{}
	return e
}
