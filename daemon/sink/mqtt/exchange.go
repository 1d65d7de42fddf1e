// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// write writes the packets that wait, and a PINGREQ twice in each keep-alive interval.
func (l *link) write() {
	ping := time.NewTicker(l.keepAlive / 2)
	defer ping.Stop()
	spare := new(bytes.Buffer)
	for {
		asked := false
		select {
		case <-l.done:
			return
		case <-ping.C:
			asked = true
		case <-l.wake:
		}
		batch, results, leaving := l.take(spare, asked)
		_, err := l.conn.Write(batch.Bytes())
		if err != nil {
			err = l.awaitReason(fmt.Errorf("write: %w", err))
		}
		for _, done := range results {
			done(err)
		}
		if leaving {
			l.end(errClosed)
		}
		spare = batch
	}
}

// reasonWait limits the time for which a link whose write has failed waits for its reader.
const reasonWait = 5 * time.Second

// awaitReason ends the link after a failed write, and returns the reason. A broker that resets the
// connection can have sent its reason before, so the reader reads to the end first.
func (l *link) awaitReason(err error) error {
	limit := time.AfterFunc(reasonWait, func() { l.end(err) })
	defer limit.Stop()
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// take returns the packets that wait, and lets later packets wait in the spare buffer.
func (l *link) take(spare *bytes.Buffer, ping bool) (batch *bytes.Buffer, results []func(error), leaving bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ping {
		_, _ = packets.NewControlPacket(packets.PINGREQ).WriteTo(l.out) // a buffer does not fail
	}
	batch, results = l.out, l.written
	spare.Reset()
	if spare.Cap() > 2*maxWaiting {
		spare = new(bytes.Buffer)
	}
	l.out, l.written = spare, nil
	notify(l.room)
	return batch, results, l.leaving
}

// read processes the broker's packets until the link ends, and returns the reason.
func (l *link) read(r *bufio.Reader) error {
	for {
		l.conn.SetDeadline(time.Now().Add(l.keepAlive * 3 / 2))
		p, err := readPacket(r)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		switch c := p.Content.(type) {
		case *packets.Puback:
			l.acknowledge(c)
		case *packets.Pingresp:
		case *packets.Disconnect:
			if r := refused(c.ReasonCode, c.Properties.ReasonString); r != nil {
				return r
			}
			return errors.New("the broker ended the connection")
		default:
			return fmt.Errorf("the broker sent an unexpected packet, %s", p.PacketType())
		}
	}
}

// acknowledge reports the result of one message.
func (l *link) acknowledge(p *packets.Puback) {
	l.mu.Lock()
	m := l.flight[p.PacketID]
	delete(l.flight, p.PacketID)
	l.replies++
	notify(l.room)
	if len(l.flight) == 0 {
		notify(l.idle)
	}
	l.mu.Unlock()
	if m == nil {
		return
	}
	if r := refused(p.ReasonCode, p.Properties.ReasonString); r != nil {
		m.done(r.classify(1, l.failed(fmt.Sprintf("publish to topic %q at", m.topic), r)))
	} else {
		m.done(nil)
	}
}

// end ends the link with the reason, and reports it to the messages in flight. Only for them can
// it be permanent: a message that is published later is not the cause.
func (l *link) end(reason error) {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		return
	}
	l.err = l.failed("connection to", reason)
	err := l.err
	var r *refusal
	if errors.As(reason, &r) {
		err = r.classify(len(l.flight), err)
	}
	results := l.written
	l.written = nil
	close(l.done)
	l.mu.Unlock()
	l.conn.Close() // the reason is known already
	for _, done := range results {
		done(err)
	}
	l.ended(err)
}

func (l *link) failed(operation string, err error) error {
	return failed(l.mask, operation+" "+l.name, err)
}
