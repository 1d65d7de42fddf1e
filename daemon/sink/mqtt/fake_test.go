// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"bufio"
	"net"
	"sync"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// A fakeBroker answers with packets that mosquitto does not send on demand.
type fakeBroker struct {
	address string
	answer  answerer

	mu       sync.Mutex
	received []*packets.ControlPacket
}

// An answerer returns the packets that answer one, and whether the connection ends after them.
type answerer func(*packets.ControlPacket) (answers []packets.Packet, last bool)

func startFake(t testing.TB, answer answerer) *fakeBroker {
	t.Helper()
	l, address, _ := sinktest.Listen(t, "tcp")
	f := &fakeBroker{address: address, answer: answer}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			go f.serve(conn)
		}
	}()
	return f
}

func (f *fakeBroker) serve(conn net.Conn) {
	defer conn.Close()
	for r := bufio.NewReader(conn); ; {
		p, err := packets.ReadPacket(r)
		if err != nil {
			return
		}
		f.mu.Lock()
		f.received = append(f.received, p)
		answers, last := f.answer(p)
		f.mu.Unlock()
		for _, a := range answers {
			if _, err := a.WriteTo(conn); err != nil {
				return
			}
		}
		if last {
			return
		}
	}
}

// published returns the messages so far.
func (f *fakeBroker) published() (all []*packets.Publish) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.received {
		if m, ok := p.Content.(*packets.Publish); ok {
			all = append(all, m)
		}
	}
	return all
}

// connack returns a CONNACK with properties, which may be nil.
func connack(code byte, p *packets.Properties) []packets.Packet {
	if p == nil {
		p = &packets.Properties{}
	}
	return []packets.Packet{&packets.Connack{ReasonCode: code, Properties: p}}
}

func puback(p *packets.Publish, code byte, text string) []packets.Packet {
	return []packets.Packet{&packets.Puback{PacketID: p.PacketID, ReasonCode: code, Properties: &packets.Properties{ReasonString: text}}}
}

func disconnect(code byte, text string) []packets.Packet {
	return []packets.Packet{&packets.Disconnect{ReasonCode: code, Properties: &packets.Properties{ReasonString: text}}}
}

// publishing returns an answer that accepts connections and answers messages.
func publishing(p *packets.Properties, answer func(*packets.Publish) ([]packets.Packet, bool)) answerer {
	return func(c *packets.ControlPacket) ([]packets.Packet, bool) {
		switch m := c.Content.(type) {
		case *packets.Connect:
			return connack(0, p), false
		case *packets.Publish:
			return answer(m)
		}
		return nil, false
	}
}

func acceptAll(m *packets.Publish) ([]packets.Packet, bool) { return puback(m, 0, ""), false }
