// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"fmt"
	"slices"

	redigo "github.com/gomodule/redigo/redis"

	"github.com/genltestd/genltestd/daemon/event"
)

// replicated returns an error if too few replicas have acknowledged stored events, and
// remembers these events: the next attempt waits for replicas again and does not store them
// again.
func (s *Sink) replicated(stored []event.Event, replicas int) error {
	if replicas >= s.config.Replicas || len(stored) == 0 {
		return nil
	}
	if s.conn != nil {
		for i := range stored {
			s.conn.unconfirmed = append(s.conn.unconfirmed, stored[i].ID())
		}
	}
	return s.tooFew(replicas)
}

func (s *Sink) tooFew(replicas int) error {
	return fmt.Errorf("%s: %d of %d replicas have acknowledged the events within %s; check the replicas, or lower replicas",
		s.config.Address, replicas, s.config.Replicas, s.config.ReplicaTimeout)
}

// confirm waits for replicas of the leading events that an earlier attempt has stored over
// this connection. It returns their number.
func (s *Sink) confirm(ctx context.Context, events []event.Event) (confirmed int, err error) {
	if s.conn == nil || len(s.conn.unconfirmed) == 0 {
		return 0, nil
	}
	if err := s.connect(ctx); err != nil {
		return 0, err
	}
	n := s.conn.leading(events)
	if n == 0 {
		return 0, nil
	}
	defer s.conn.wire.bind(ctx)()
	replicas, err := redigo.Int(s.conn.Do("WAIT", s.config.Replicas, s.wait(ctx).Milliseconds()))
	switch {
	case err != nil:
		s.disconnect()
		return 0, s.failed(err, ctx.Err())
	case replicas < s.config.Replicas:
		return 0, s.tooFew(replicas)
	}
	s.conn.unconfirmed = s.conn.unconfirmed[n:]
	return n, nil
}

// leading returns how many leading events are unconfirmed. It forgets unconfirmed events that
// delivery has given up. The event of a test is in front of events that delivery passes again.
func (c *conn) leading(events []event.Event) (n int) {
	if events[0].Test != nil {
		return 0
	}
	first := slices.Index(c.unconfirmed, events[0].ID())
	if first < 0 {
		first = len(c.unconfirmed)
	}
	c.unconfirmed = c.unconfirmed[first:]
	for n < min(len(events), len(c.unconfirmed)) && c.unconfirmed[n] == events[n].ID() {
		n++
	}
	return n
}
