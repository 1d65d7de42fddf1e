// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// A session is one connection with one channel, in confirm mode. Its methods are called from
// the goroutine of the sink, except where a comment names another.
type session struct {
	address  value.Address
	password string            // that was used
	files    tlsclient.Version // that were used
	raw      net.Conn          // TCP; closing it ends everything that blocks
	conn     net.Conn          // raw, or TLS over raw
	amqp     *amqp091.Connection
	channel  *amqp091.Channel
	gate     gate

	sent      chan sent // for the collector, in the order of the delivery tags
	published atomic.Int64
	answered  atomic.Int64
	returns   chan amqp091.Return
	returned  map[string]amqp091.Return // by message id; only for the collector
	closes    chan *amqp091.Error
	lost      func() *loss
	running   sync.WaitGroup // the collector and the gate

	progress int64     // answered at the time since
	since    time.Time // of the last answer, or of the last time without a message in flight
}

// A sent message waits for its confirm.
type sent struct {
	id           string
	confirmation *amqp091.DeferredConfirmation
	done         func(error)
}

// start begins to listen for the answers of the broker. The library abandons a notification
// if its channel is full for some seconds; the channels have room for all messages in flight.
func (s *session) start(limit int) {
	s.sent = make(chan sent, limit)
	s.returned = make(map[string]amqp091.Return)
	s.returns = s.channel.NotifyReturn(make(chan amqp091.Return, limit+2))
	s.closes = s.channel.NotifyClose(make(chan *amqp091.Error, 1))
	s.lost = sync.OnceValue(s.awaitLoss)
	blocks := s.amqp.NotifyBlocked(make(chan amqp091.Blocking, 64))
	s.running.Go(func() { s.gate.watch(blocks) })
	s.running.Go(s.collect)
}

var errCrowded = errors.New("the broker has not confirmed messages whose events are no longer delivered")

// publish sends a message. done reports the answer of the broker.
func (s *session) publish(exchange string, mandatory bool, m *message, done func(error)) error {
	if len(s.sent) == cap(s.sent) {
		return errCrowded
	}
	number := s.published.Add(1)
	confirmation, err := s.channel.PublishWithDeferredConfirm(exchange, m.routingKey, mandatory, false, m.publishing)
	if err != nil {
		s.raw.Close() // a part of a frame may have been sent
		l := *s.lost()
		l.unsent = number > l.last
		return &l
	}
	s.sent <- sent{m.publishing.MessageId, confirmation, done}
	return nil
}

// collect passes the answers on, in the order of the messages. The library confirms the
// messages of a lost channel negatively, so it ends when sent is closed.
func (s *session) collect() {
	for m := range s.sent {
		<-m.confirmation.Done()
		err := s.answer(&m)
		s.answered.Add(1)
		m.done(err)
	}
}

// answer returns nil if the broker has accepted a message. A message that the broker returns
// is confirmed afterwards.
func (s *session) answer(m *sent) error {
	for len(s.returns) > 0 {
		r, ok := <-s.returns
		if !ok {
			break
		}
		s.returned[r.MessageId] = r
	}
	r, returned := s.returned[m.id]
	delete(s.returned, m.id)
	switch {
	case returned:
		return &unroutable{exchange: r.Exchange, routingKey: r.RoutingKey, code: int(r.ReplyCode), text: r.ReplyText}
	case m.confirmation.Acked():
		return nil
	case s.closed():
		return s.lost()
	}
	return errRejected
}

func (s *session) closed() bool { return s.channel.IsClosed() || s.amqp.IsClosed() }

// awaitLoss returns why the channel was closed. It must be closed, or about to be.
func (s *session) awaitLoss() *loss {
	l := &loss{err: <-s.closes}
	l.last = s.published.Load()
	l.inFlight = int(l.last - s.answered.Load())
	return l
}

// bind ends a write of the session when the context ends. The library does not: the broker
// can stop to read.
func (s *session) bind(ctx context.Context) (release func()) {
	deadline, _ := ctx.Deadline()
	s.conn.SetWriteDeadline(deadline)
	stop := sink.AfterFunc(ctx, func() { s.conn.SetWriteDeadline(time.Unix(1, 0)) })
	return func() {
		stop()
		s.conn.SetWriteDeadline(time.Time{})
	}
}

// closeTimeout bounds how long an orderly end waits for the broker.
const closeTimeout = time.Second

// close ends the session. Every message in flight has its result when close returns.
func (s *session) close() {
	if s.gate.blocked() == nil && !s.closed() {
		_ = s.amqp.CloseDeadline(time.Now().Add(closeTimeout)) // the connection ends in any case
	}
	s.raw.Close()
	close(s.sent)
	s.running.Wait()
}

// maxSilence bounds how long the sink waits for the confirms of a connection that works. A queue
// that was lost with its messages does not confirm them.
const maxSilence = 5 * time.Minute

// silent reports whether the broker has confirmed no message for too long. It is called before
// each attempt.
func (s *session) silent(now time.Time) bool {
	answered := s.answered.Load()
	if s.since.IsZero() || answered != s.progress || answered == s.published.Load() || s.gate.blocked() != nil {
		s.progress, s.since = answered, now
	}
	return now.Sub(s.since) >= maxSilence
}

// where names the broker in errors.
func (s *session) where() string { return fmt.Sprintf("publish to %s", s.address) }
