// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	redigo "github.com/gomodule/redigo/redis"

	"github.com/genltestd/genltestd/daemon/event"
)

// write sends the events as one transaction, up to the first event that cannot be encoded,
// whose error it returns. One event does not need MULTI and EXEC. An error of the connection is
// reported when the first answer is read.
func (s *Sink) write(ctx context.Context, events []event.Event) (sent int, invalid error) {
	several := len(events) > 1
	for i := range events {
		args, err := s.entry.arguments(&events[i])
		if err != nil {
			invalid = err
			break
		}
		if i == 0 && several {
			_ = s.conn.Send("MULTI")
		}
		_ = s.conn.Send("XADD", args...)
		sent++
	}
	if sent == 0 {
		return 0, invalid
	}
	if several {
		_ = s.conn.Send("EXEC")
	}
	if s.config.Replicas > 0 {
		_ = s.conn.Send("WAIT", s.config.Replicas, s.wait(ctx).Milliseconds())
	}
	_ = s.conn.Flush()
	s.conn.several = several
	return sent, invalid
}

// wait returns how long the server may wait for replicas. The answer has to arrive before the
// attempt ends: otherwise the events would be stored again.
func (s *Sink) wait(ctx context.Context) time.Duration {
	limit := time.Duration(s.config.ReplicaTimeout)
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)*3/4)
	}
	return max(limit, time.Millisecond) // 0 would mean without limit
}

// A result is the server's answer to a transaction.
type result struct {
	// stored is the number of leading events that the server has stored. If refusal is set and
	// executed is not, it is the number of events before the refused one, and the server has
	// stored no event.
	stored   int
	refusal  redigo.Error // about the event after them; empty without one
	executed bool         // the server has executed the transaction
	replicas int          // that have acknowledged the events
	broken   error        // of the connection
}

// nextLimit returns the limit of the next transaction. If the server has executed only a part
// of a transaction, it would execute this part at each attempt again. So the refused event is
// sent alone until the server accepts it.
func (r *result) nextLimit(limit int) int {
	switch {
	case r.refusal == "":
		return 0
	case r.executed:
		return 1
	}
	return limit
}

// read reads the answers to a transaction of sent events.
func (s *Sink) read(sent int) (r result) {
	if s.conn.several {
		r = s.readTransaction(sent)
	} else if _, err := s.conn.Receive(); err != nil {
		r.note(0, err)
	} else {
		r.stored = 1
	}
	if s.config.Replicas > 0 && r.broken == nil {
		var e redigo.Error // no replica has acknowledged then
		var err error
		if r.replicas, err = redigo.Int(s.conn.Receive()); err != nil && !errors.As(err, &e) {
			r.broken = err
		}
	}
	return r
}

// readTransaction reads the answers to MULTI, each XADD, and EXEC.
func (s *Sink) readTransaction(sent int) (r result) {
	for i := range sent + 1 {
		if _, err := s.conn.Receive(); err != nil && !r.note(max(i-1, 0), err) {
			return r
		}
	}
	replies, err := redigo.Values(s.conn.Receive())
	if err != nil {
		r.note(0, err)
		return r
	}
	r.executed = true
	if len(replies) != sent {
		r.broken = fmt.Errorf("the server has answered %d of %d commands", len(replies), sent)
		return r
	}
	r.stored = sent
	for i, reply := range replies {
		if e, ok := reply.(redigo.Error); ok {
			r.stored, r.refusal = i, e
			break
		}
	}
	return r
}

// note notes the first error about the event i. It returns false if the connection is broken.
func (r *result) note(i int, err error) (usable bool) {
	var e redigo.Error
	switch {
	case !errors.As(err, &e):
		r.broken = err
		return false
	case r.refusal == "":
		r.stored, r.refusal = i, e
	}
	return true
}
