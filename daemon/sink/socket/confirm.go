// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bytes"
	"context"
	"fmt"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/stream"
)

// With Acknowledge the peer confirms events:
//
//  1. Each event is one line; its id is the field "id" of the JSON envelope.
//  2. When the peer has stored events, it sends the id of the last of them on a line of
//     its own. The line confirms that event and all events before it.
//  3. At most 256 events are unconfirmed. The peer may confirm each event, or several at
//     once, but must not wait for more events than it has received.
//  4. An id that is not unconfirmed, or a line of more than 256 bytes, ends the
//     connection. So does the end of the attempt (attempt_timeout).
//  5. Unconfirmed events are sent again on a new connection, in order, with the same ids.
const (
	confirmWindow = 256
	longestAnswer = 256
)

// deliverConfirmed counts the events that the peer has confirmed. If the peer closes an
// idle connection, it connects again at once.
func (c *Client) deliverConfirmed(ctx context.Context, events []event.Event) (accepted int, err error) {
	for {
		conn, fresh, err := c.client.Conn(ctx)
		if err != nil {
			return 0, c.describe(err)
		}
		accepted, err := c.deliverOn(ctx, conn, events)
		if err == nil || sink.Poisoned(err) > 0 {
			return accepted, c.describe(err)
		}
		c.client.Abort()
		if fresh || accepted > 0 || !stream.Ended(err) || ctx.Err() != nil {
			return accepted, c.describe(err)
		}
	}
}

func (c *Client) deliverOn(ctx context.Context, conn *stream.Conn, events []event.Event) (accepted int, err error) {
	c.answers.buf = c.answers.buf[:0]
	for accepted < len(events) && err == nil {
		var n int
		n, err = c.deliverWindow(ctx, conn, events[accepted:min(accepted+confirmWindow, len(events))])
		accepted += n
	}
	return accepted, err
}

func (c *Client) deliverWindow(ctx context.Context, conn *stream.Conn, events []event.Event) (confirmed int, err error) {
	sent, refused := c.lines.Write(sender{ctx, conn}, events)
	c.lines.Reset()
	if refused != nil && sink.Poisoned(refused) == 0 {
		return 0, refused
	}
	for confirmed < sent {
		answer, err := c.answers.next(func(p []byte) (int, error) { return conn.Read(ctx, p) })
		if err != nil {
			return confirmed, fmt.Errorf("%d events are not confirmed: %w", sent-confirmed, err)
		}
		n := upTo(events[confirmed:sent], answer)
		if n == 0 {
			id := c.mask.Clean(string(answer), longestAnswer)
			return confirmed, fmt.Errorf("the peer has confirmed %s, which is not an unconfirmed event", id)
		}
		confirmed += n
	}
	return confirmed, refused
}

// upTo returns the number of events up to the one with that id, or 0.
func upTo(events []event.Event, id []byte) int {
	var scratch [64]byte
	for i := range events {
		if bytes.Equal(events[i].AppendID(scratch[:0]), id) {
			return i + 1
		}
	}
	return 0
}

// sender is the connection for one window of events.
type sender struct {
	ctx  context.Context
	conn *stream.Conn
}

func (s sender) Write(p []byte) (int, error) { return s.conn.Send(s.ctx, p) }

// answers splits the peer's bytes into lines.
type answers struct {
	buf  []byte // not yet returned
	line []byte
}

// next returns one line without its end. It is valid until the next call.
func (a *answers) next(read func([]byte) (int, error)) ([]byte, error) {
	for {
		if i := bytes.IndexByte(a.buf, '\n'); i >= 0 && i <= longestAnswer {
			a.line = append(a.line[:0], bytes.TrimSuffix(a.buf[:i], []byte("\r"))...)
			a.buf = a.buf[:copy(a.buf, a.buf[i+1:])]
			return a.line, nil
		}
		if len(a.buf) > longestAnswer {
			return nil, fmt.Errorf("the peer's answer has more than %d bytes", longestAnswer)
		}
		var chunk [4096]byte
		n, err := read(chunk[:])
		if err != nil {
			return nil, err
		}
		a.buf = append(a.buf, chunk[:n]...)
	}
}
