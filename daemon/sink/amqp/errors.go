// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"context"
	"errors"
	"fmt"
	"strings"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/genltestd/genltestd/daemon/sink"
)

const (
	maxError = 400 // bytes of an error that are shown
	maxName  = 100 // bytes of a routing key in an error
)

// A verdict is the meaning of a reply code for the events in flight.
type verdict string

const (
	retry     verdict = "retry"
	permanent verdict = "dead letter"
)

// codes is the whole policy for codes with which the broker closes the channel or the
// connection. docs/sinks/amqp.md shows it, and a test compares the two. A code about
// configuration, authorization or the state of the broker is not permanent.
var codes = []struct {
	code    int
	name    string
	verdict verdict
	why     string
}{
	{311, "CONTENT_TOO_LARGE", permanent, "the message is larger than the broker accepts"},
	{320, "CONNECTION_FORCED", retry, "an operator closed the connection, or the node stops"},
	{402, "INVALID_PATH", retry, "the virtual host is unknown; check `vhost`"},
	{403, "ACCESS_REFUSED", retry, "the user may not write to the exchange; check the permissions and `exchange`"},
	{404, "NOT_FOUND", retry, "the exchange does not exist; create it, or correct `exchange`"},
	{405, "RESOURCE_LOCKED", retry, "another connection uses the resource"},
	{406, "PRECONDITION_FAILED", retry, "a property is not valid for the broker. " +
		"If the text is about the size of the message, the message is a dead letter: `max_message_size` of RabbitMQ"},
	{501, "FRAME_ERROR", retry, "the connection was lost or disturbed; a proxy may have changed it"},
	{502, "SYNTAX_ERROR", retry, "as 501"},
	{503, "COMMAND_INVALID", retry, "as 501"},
	{504, "CHANNEL_ERROR", retry, "as 501"},
	{505, "UNEXPECTED_FRAME", retry, "as 501"},
	{506, "RESOURCE_ERROR", retry, "the broker lacks resources"},
	{530, "NOT_ALLOWED", retry, "the virtual host is unknown or not permitted, or a limit of connections is reached"},
	{540, "NOT_IMPLEMENTED", retry, "the broker does not support confirms or this exchange"},
	{541, "INTERNAL_ERROR", retry, "a fault of the broker; its log has the reason"},
}

// evaluate returns the verdict on a reply, and the reason.
func evaluate(e *amqp091.Error) (verdict, string) {
	for _, row := range codes {
		switch {
		case row.code != e.Code || !e.Server:
		case e.Code == amqp091.PreconditionFailed && strings.Contains(e.Reason, "message size"):
			return permanent, codes[0].why
		default:
			return row.verdict, strings.ReplaceAll(row.why, "`", "")
		}
	}
	return retry, "the connection was lost"
}

// reply returns the code and the text of a reply. RabbitMQ begins the text with the name of the
// code.
func reply(e *amqp091.Error) string {
	if !e.Server {
		return e.Reason
	}
	return fmt.Sprintf("%d %s", e.Code, e.Reason)
}

// A loss is the end of the channel. It is the result of every message in flight, and the error of
// an event that could not be sent.
type loss struct {
	err      *amqp091.Error // nil if this side has closed it
	inFlight int            // messages, at the time of the loss
	last     int64          // number of the last one of them
	unsent   bool           // it is the error of an event whose message is not one of them
}

func (l *loss) Error() string {
	if l.err == nil {
		return "the connection was closed"
	}
	return reply(l.err)
}

// An unroutable is the result of a message that the broker has returned.
type unroutable struct {
	exchange, routingKey string
	code                 int
	text                 string
}

func (u *unroutable) Error() string { return fmt.Sprintf("%d %s", u.code, u.text) }

var errRejected = errors.New("the broker rejected a message (basic.nack): " +
	"a queue is full and has the overflow reject-publish, or has failed; consume from it, or raise its limit")

// failed returns the error of an attempt in which n events were not accepted.
func (s *Sink) failed(ctx context.Context, err error, n int) error {
	var (
		lost     *loss
		returned *unroutable
		blocked  *blockage
	)
	switch {
	case sink.Poisoned(err) > 0:
		return err
	case errors.As(err, &returned):
		return s.returned(returned)
	case errors.As(err, &blocked) || ctx.Err() != nil && errors.As(s.session.gate.blocked(), &blocked):
		return s.failure(ctx, "the broker has blocked the connection until its alarm ends, because it lacks resources: "+blocked.reason)
	case errors.As(err, &lost) && ctx.Err() == nil:
		return s.ended(ctx, lost, n)
	case ctx.Err() != nil:
		return s.failure(ctx, fmt.Sprintf("the broker has not confirmed %d events: %v", n, ctx.Err()))
	}
	return s.failure(ctx, err.Error())
}

// ended returns the error for a lost channel. If the broker has refused the size of a message,
// it is one of those in flight. If these are not all among the n events of the attempt,
// delivery could blame another, so the next attempt decides. The same applies if no event of the
// attempt was in flight: the message belongs to an event that is no longer delivered.
func (s *Sink) ended(ctx context.Context, lost *loss, n int) error {
	if lost.err == nil {
		return s.failure(ctx, lost.Error())
	}
	verdict, why := evaluate(lost.err)
	err := s.failure(ctx, why+": "+lost.Error())
	if verdict == permanent && !lost.unsent && lost.inFlight <= n {
		return sink.PermanentAmong(lost.inFlight, sink.Refusal{Kind: sink.RefusedTooLarge}.Mark(err))
	}
	return err
}

func (s *Sink) returned(u *unroutable) error {
	text := fmt.Sprintf("the broker returned a message (%s): no queue of exchange %q has a binding for the routing key %q; bind a queue",
		s.env.Mask.Clean(u.Error(), maxName), u.exchange, s.env.Mask.Clean(u.routingKey, maxName))
	err := s.failure(context.Background(), text)
	if s.config.Returned == returnedPermanent {
		return sink.Permanent(sink.Refusal{Kind: sink.RefusedByBroker}.Mark(err))
	}
	return err
}

func (s *Sink) failure(ctx context.Context, text string) error {
	return sink.WithText(s.session.where()+": "+s.env.Mask.Clean(text, maxError), ctx.Err())
}
