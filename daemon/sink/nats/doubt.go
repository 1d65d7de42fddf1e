// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"context"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/genltestd/genltestd/daemon/event"
)

// impossible is a sequence number that no stream reaches.
const impossible = "9007199254740991"

// The errors about an impossible number: the stream does not know the id.
const (
	wrongSequence      = 10071
	wrongSequenceBatch = 10164
)

// A question is a batch of one message that the stream cannot store, because it expects that the
// last message of the stream has an impossible number. The stream looks for the id before it checks
// the number. So the answer shows whether an event is stored, is about to be stored, or is unknown.
//
// The header Nats-Expected-Last-Msg-Id would not do: a cluster checks it too late, and then
// treats the id for a long time as that of a message in process.
type questions struct {
	sink    *Sink
	id      string
	events  []event.Event
	message nats.Msg
	refused bool // the stream does not allow batches
}

// resolve finds the first event that the stream does not know, by a binary search: the stream
// stores events in order, so first are those that it has stored, then those that it is about to
// store. It returns an error if it finds one of the latter: then a batch must not contain it. fresh
// means that the last event is unknown, and so are all events after it.
//
// The first question is about the first event. After an outage usually no event was in flight, so
// a fleet that returns asks one question for each host.
func (s *Sink) resolve(ctx context.Context, events []event.Event) (fresh bool, err error) {
	q := &questions{sink: s, id: nuid.Next(), events: events}
	q.message.Header = nats.Header{headerID: {""}, nats.ExpectedLastSeqHdr: {impossible}}
	known, unknown := 0, len(events)
	for at := 0; known < unknown && !q.refused; at = (known + unknown) / 2 {
		i, isKnown, err := q.ask(ctx, at, unknown)
		switch {
		case err != nil:
			return false, s.explain(q.message.Subject, err)
		case isKnown:
			known = i + 1
		default:
			unknown = at
		}
	}
	return unknown < len(events) && !q.refused, nil
}

// ask asks about the first event from at on that can be sent, before limit, and returns its index.
// Events that cannot be sent count as unknown: the batch reports them.
func (q *questions) ask(ctx context.Context, at, limit int) (i int, known bool, err error) {
	for i = at; i < limit; i++ {
		m, err := q.sink.encode.encode(&q.events[i])
		if err != nil {
			continue
		}
		q.message.Subject = m.Subject
		q.message.Header[headerID][0] = m.Header[headerID][0]
		known, err = q.exchange(ctx, i)
		return i, known, err
	}
	return at, false, nil
}

// exchange sends the question about an event, again after each pause: a leader that ends loses
// questions.
func (q *questions) exchange(ctx context.Context, i int) (known bool, err error) {
	link := q.sink.link
	reply := link.inbox + q.id + "-" + strconv.Itoa(i) + ".500.fail.1." + opCommit + ".$FI"
	send := func() error { return link.publish(&q.message, reply) }
	if err := send(); err != nil {
		return false, err
	}
	for {
		a, err := link.await(ctx, q.id, send)
		if err != nil {
			return false, err
		}
		if a.index == i && a.reply.Type == "" { // otherwise an earlier answer, or the state of the batch
			return q.answered(&a.reply)
		}
	}
}

// answered returns whether the stream has stored the event. An event that is about to be stored is
// an error.
func (q *questions) answered(r *reply) (known bool, err error) {
	switch e := r.Error; {
	case e == nil:
		return true, nil
	case e.Code == wrongSequence || e.Code == wrongSequenceBatch:
		return false, nil
	case q.sink.refusedBy(e):
		q.refused = true
		return false, nil
	default:
		return false, e
	}
}
