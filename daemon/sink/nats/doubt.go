// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"context"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/genltestd/genltestd/daemon/event"
)

// maxQuestions is the number of events that the sink asks the stream about at once.
const maxQuestions = 1000

// impossible is a sequence number that no stream reaches.
const impossible = "9007199254740991"

// The errors about an impossible number: the stream does not know the id.
const (
	wrongSequence      = 10071
	wrongSequenceBatch = 10164
)

// questions are about the first events of an attempt. A question is a batch of one message that
// the stream cannot store, because it expects that the last message of the stream has an
// impossible number. The stream looks for the id before it checks the number. So the answer shows
// whether an event is stored, is about to be stored, or is unknown.
//
// The header Nats-Expected-Last-Msg-Id would not do: a cluster checks it too late, and then
// treats the id for a long time as that of a message in process.
type questions struct {
	sink    *Sink
	link    *link
	id      string
	events  []event.Event
	message nats.Msg
	settled []bool // by event: the answer has arrived
	open    int    // number of events that are not settled
	unknown bool   // the last event is not known to the stream
	refused bool   // the stream does not allow batches
}

// resolve asks the stream about each event. It returns an error if an event is about to be
// stored: then a batch must not contain it. fresh means that the last one is unknown, and so are
// all events after it.
func (s *Sink) resolve(ctx context.Context, events []event.Event) (fresh bool, err error) {
	q := &questions{sink: s, link: s.link, id: nuid.Next(), events: events, settled: make([]bool, len(events)), open: len(events)}
	q.message.Header = nats.Header{headerID: {""}, nats.ExpectedLastSeqHdr: {impossible}}
	err = q.askAll()
	for err == nil && q.open > 0 && !q.refused {
		var a answer
		if a, err = s.link.await(ctx, q.id, q.askAll); err == nil {
			err = q.answered(a)
		}
	}
	if err != nil {
		return false, s.explain(q.message.Subject, err)
	}
	return q.unknown, nil
}

// askAll asks about each event without an answer. A leader that ends loses questions.
func (q *questions) askAll() error {
	for i := range q.events {
		if q.settled[i] {
			continue
		}
		if err := q.ask(i); err != nil {
			return err
		}
	}
	return nil
}

// settle notes that an event is not about to be stored.
func (q *questions) settle(i int) {
	if !q.settled[i] {
		q.settled[i] = true
		q.open--
	}
}

// ask sends the question about an event. Only the subject and the id of its message matter.
func (q *questions) ask(i int) error {
	m, err := q.sink.encode.encode(&q.events[i])
	if err != nil {
		q.settle(i) // the batch reports it
		return nil
	}
	q.message.Subject = m.Subject
	q.message.Header[headerID][0] = m.Header[headerID][0]
	token := q.id + "-" + strconv.Itoa(i)
	return q.link.publish(&q.message, q.link.inbox+token+".500.fail.1."+opCommit+".$FI")
}

// answered notes an answer. An event that is about to be stored is an error.
func (q *questions) answered(a answer) error {
	if a.index < 0 || a.index >= len(q.events) || a.reply.Type != "" { // the state of the batch, and not its end
		return nil
	}
	switch e := a.reply.Error; {
	case e == nil:
		q.settle(a.index)
	case e.Code == wrongSequence || e.Code == wrongSequenceBatch:
		q.settle(a.index)
		q.unknown = q.unknown || a.index == len(q.events)-1
	case q.sink.refusedBy(e):
		q.refused = true
	default:
		return e
	}
	return nil
}
