// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nuid"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// The operations of a batch.
const (
	opStart  = "0"
	opAppend = "1"
	opCommit = "2" // ends the batch with this message
	opEnd    = "3" // ends the batch before this message, whose content is ignored
	opPing   = "4" // asks for the state of the batch
)

// A batch is one batch of the server. Its answers report how many of its messages, from the
// first on, are stored.
type batch struct {
	sink   *Sink
	link   *link
	id     string
	middle string // of the subjects of answers
	events []event.Event

	subject string // of the message that was sent last
	reply   []byte
	sent    int
	stored  int
	pings   int   // without progress
	ending  bool  // the last message of the batch was sent, or the stream has ended it
	ended   bool  // no further answer follows
	cause   error // of the end
	blamed  int   // index of the event that cause is about
}

// publishBatch publishes the events in one batch. If the stream refuses batches, it returns no
// error.
func (s *Sink) publishBatch(ctx context.Context, events []event.Event) (accepted int, err error) {
	b := &batch{sink: s, link: s.link, id: nuid.Next(), events: events}
	b.middle = b.id + "." + strconv.Itoa(max(s.config.MaxInFlight/2, 1)) + ".fail."
	err = b.outcome(b.run(ctx))
	s.doubt = b.sent > b.stored
	return b.stored, err
}

// outcome explains the error of run, which is about the first event that is not stored. If all
// are stored, only the confirmation of the end is missing.
func (b *batch) outcome(err error) error {
	if err == nil || b.stored == len(b.events) {
		return nil
	}
	return b.sink.explain(b.subjectOf(b.stored), err)
}

// subjectOf returns the subject of an event, for an error.
func (b *batch) subjectOf(i int) string {
	if m, err := b.sink.encode.encode(&b.events[i]); err == nil {
		return m.Subject
	}
	return b.subject
}

// run sends messages while the window is open, and awaits answers otherwise.
func (b *batch) run(ctx context.Context) error {
	for !b.ended {
		if err := b.step(ctx); err != nil {
			return err
		}
	}
	return b.cause
}

func (b *batch) step(ctx context.Context) error {
	a, ok := b.link.poll(b.id)
	switch {
	case ok:
		return b.handle(a)
	case !b.ending && b.sent-b.stored < b.limit() && ctx.Err() == nil:
		return b.send()
	}
	a, err := b.link.await(ctx, b.id, b.ping)
	if errors.Is(err, errStalled) {
		b.ended, b.cause = true, nil
		return nil
	}
	if err != nil {
		return err
	}
	return b.handle(a)
}

// limit returns the size of the window. The first message of a connection is sent alone: a
// server that does not know batches stores it like any other.
func (b *batch) limit() int {
	if b.link.batches != batchesAccepted {
		return 1
	}
	return min(b.link.window, b.sink.config.MaxInFlight)
}

// send sends the next event. An event that cannot be sent ends the batch before it.
func (b *batch) send() error {
	m, err := b.sink.encode.encode(&b.events[b.sent])
	if err == nil {
		b.subject = m.Subject
		err = b.link.publish(m, b.replyTo(b.sent+1, b.operation()))
	}
	switch {
	case sink.Poisoned(err) > 0:
		return b.end(err)
	case err != nil:
		return err
	}
	b.sent++
	b.ending = b.sent == len(b.events)
	return nil
}

func (b *batch) operation() string {
	switch b.sent {
	case len(b.events) - 1:
		return opCommit
	case 0:
		return opStart
	}
	return opAppend
}

// replyTo returns the subject of answers to a message, which contains its place in the batch.
func (b *batch) replyTo(seq int, operation string) string {
	b.reply = append(append(b.reply[:0], b.link.inbox...), b.middle...)
	b.reply = strconv.AppendInt(b.reply, int64(seq), 10)
	b.reply = append(append(append(b.reply, '.'), operation...), ".$FI"...)
	return string(b.reply)
}

// end ends the batch before the next event, which cannot be sent.
func (b *batch) end(cause error) error {
	b.stop(b.sent, cause)
	if b.sent == 0 {
		b.ended = true
		return nil
	}
	return b.control(b.sent+1, opEnd)
}

// maxPings is the number of pings without progress after which the sink leaves the batch. A
// stream does not always report in a batch why it cannot store. It reports that for a message
// alone.
const maxPings = 3

var errStalled = errors.New("the batch makes no progress")

// ping asks for the state of the batch, because an answer may be lost.
func (b *batch) ping() error {
	if b.pings++; b.pings > maxPings {
		return errStalled
	}
	return b.control(b.sent, opPing)
}

func (b *batch) control(seq int, operation string) error {
	return b.link.conn.PublishRequest(b.subject, b.replyTo(seq, operation), nil)
}

// handle applies an answer of the server.
func (b *batch) handle(a answer) error {
	switch r := &a.reply; {
	case a.err != nil:
		return a.err
	case r.Type == typeStored:
		b.progress(int(min(r.Seq, uint64(b.sent))), r.Messages)
	case r.Type == typeGap:
		b.stop(-1, errors.New("a message was lost on the way to the stream"))
	case r.Type == typeError && r.Error != nil:
		b.stop(b.indexOf(r.Seq), r.Error)
	case r.Error != nil:
		return b.refuse(a.seq, r.Error)
	case r.Batch == b.id:
		b.confirm(r.Count)
	case r.Stream != "":
		return b.unknown(a.seq)
	}
	return nil
}

// progress notes the number of stored messages, and the number of messages after which the
// server answers: it expects at most twice as many in flight.
func (b *batch) progress(stored, messages int) {
	if stored > b.stored {
		b.stored, b.pings = stored, 0
	}
	b.link.batches, b.sink.alone = batchesAccepted, time.Time{}
	b.link.window = max(2*messages, 1)
}

// stop notes that the batch ends before the event at index blamed; -1 if the index is not
// known. The confirmation of the end follows.
func (b *batch) stop(blamed int, cause error) {
	b.ending = true
	if b.cause == nil {
		b.cause, b.blamed = cause, blamed
	}
}

// indexOf returns the index of the event of the message with the number seq. If the message was not
// sent, it returns an index that confirm does not blame.
func (b *batch) indexOf(seq uint64) int {
	if seq == 0 || seq > uint64(b.sent) {
		return len(b.events)
	}
	return int(seq) - 1
}

// errEnded is retried: the next attempt finds the cause.
var errEnded = errors.New("the stream has ended the batch early")

// confirm ends the batch. A cause that is not about the first event without confirmation does
// not count, because it could be permanent.
func (b *batch) confirm(count int) {
	b.stored, b.ended = max(b.stored, min(count, b.sent)), true
	switch {
	case b.stored == len(b.events):
		b.cause = nil
	case b.cause == nil || b.blamed >= 0 && b.blamed != b.stored:
		b.cause = errEnded
	}
}

// refuse handles an error outside of the protocol of batches, about the message with the number
// seq. The stream has not stored it, and continues to wait for a message with this number.
func (b *batch) refuse(seq uint64, e *serverError) error {
	switch {
	case b.sink.refusedBy(e):
		b.ended, b.cause = true, nil
	case seq == 1 && b.stored == 0:
		b.ended, b.cause = true, e // the batch does not exist
	case e.Code == unknownBatch:
		return e
	case b.cause == nil:
		b.stop(b.indexOf(seq), e)
		return b.control(min(b.indexOf(seq), b.sent)+1, opEnd)
	}
	return nil
}

const (
	unknownBatch   = 10208 // the stream does not have this batch, or no longer
	tooManyBatches = 10211
)

// unknown ends the batch of a server that does not know batches: it has stored the message like
// any other.
func (b *batch) unknown(seq uint64) error {
	b.sink.refuseBatches(retryBatches)
	b.ended, b.cause = true, nil
	if b.sent == 1 && seq == 1 {
		b.stored = 1
		return nil
	}
	return errors.New("the leader of the stream does not know batches; update all servers of the cluster")
}
