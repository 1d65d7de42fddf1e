// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/redact"
)

// A link is one MQTT connection, after the broker has accepted it. One goroutine writes and one
// reads until the link ends; both outlast attempts.
type link struct {
	conn      net.Conn
	name      string // of the broker, for errors
	limits    limits
	keepAlive time.Duration
	born      time.Time
	ended     func(error) // called once when the link ends, with the error for messages in flight
	mask      *redact.Mask

	done   chan struct{} // closed when the link has ended
	wake   chan struct{} // there is something to write
	room   chan struct{} // publish may have room
	idle   chan struct{} // no message is in flight
	closed sync.WaitGroup

	mu      sync.Mutex
	out     *bytes.Buffer // packets that are not yet written
	written []func(error) // results of the messages of QoS 0 in out
	flight  map[uint16]*message
	resumed map[event.Key]uint16 // messages of an earlier connection of this session
	taken   map[uint16]bool      // the numbers of resumed
	number  uint16               // of the latest message
	aliases *aliases
	replies uint64 // number of PUBACKs
	leaving bool   // the link ends when out is written
	err     error  // why the link has ended
}

// A message was sent and is not acknowledged.
type message struct {
	key   event.Key
	topic string
	done  func(error)
}

// start starts the goroutines of a link.
func (l *link) start(r *bufio.Reader) {
	l.done, l.wake, l.room, l.idle = make(chan struct{}), make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	l.out, l.flight = new(bytes.Buffer), make(map[uint16]*message)
	l.closed.Go(l.write)
	l.closed.Go(func() { l.end(l.read(r)) })
}

// maxWaiting is the size of packets that wait for the writer, beyond which publish waits. It
// also waits while the Receive Maximum of the broker is reached. This happens only if messages
// are in flight that delivery has abandoned: the window has the same limit.
const maxWaiting = 1 << 20

// publish hands a message to the writer. It calls done with the result of the broker, or after
// the message is written if the QoS is 0. After an error, the message is not sent.
func (l *link) publish(ctx context.Context, e *event.Event, p *packets.Publish, done func(error)) error {
	if err := l.awaitRoom(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	m := &message{key: e.Key(), topic: p.Topic, done: done}
	if p.QoS > 0 {
		l.identify(p, m.key)
	}
	assigned := l.alias(p)
	if err := appendPacket(l.out, p, l.limits.packet); err != nil {
		return err
	}
	if assigned {
		l.aliases.assign(m.topic)
	}
	if p.QoS > 0 {
		l.flight[p.PacketID] = m
	} else {
		l.written = append(l.written, done)
	}
	notify(l.wake)
	return nil
}

func (l *link) awaitRoom(ctx context.Context) error {
	for {
		l.mu.Lock()
		full := l.err == nil && (l.out.Len() > maxWaiting || len(l.flight) >= int(l.limits.receiveMaximum))
		l.mu.Unlock()
		if !full {
			return nil
		}
		select {
		case <-l.room:
		case <-l.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// identify sets the number of a message: the number that it had on an earlier connection of the
// same session, or a free one. There are more numbers than messages in flight.
func (l *link) identify(p *packets.Publish, key event.Key) {
	if n, ok := l.resumed[key]; ok {
		delete(l.resumed, key)
		delete(l.taken, n)
		p.PacketID, p.Duplicate = n, true
		return
	}
	for {
		l.number++
		if _, used := l.flight[l.number]; l.number != 0 && !used && !l.taken[l.number] {
			p.PacketID = l.number
			return
		}
	}
}

// alias replaces the topic of p by a number, or adds the number that replaces the topic from
// now on; assigned reports the latter.
func (l *link) alias(p *packets.Publish) (assigned bool) {
	n := l.aliases.lookup(p.Topic)
	if n > 0 {
		p.Topic = ""
	} else if n = l.aliases.next(); n == 0 {
		return false
	}
	assigned = p.Topic != ""
	p.Properties.TopicAlias = &n
	return assigned
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
