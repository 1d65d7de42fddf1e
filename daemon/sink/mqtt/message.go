// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// The names of the user properties of each message.
const (
	propertyID   = "id"   // the id of the event
	propertyTime = "time" // when the daemon received the event
)

// A composer makes messages of events.
type composer struct {
	config     *Config
	payload    event.Encoder
	attributes event.Attributer // nil: the payload contains everything
	topic      event.Encoder
	values     []event.Encoder // of the user properties
	expiry     *uint32         // seconds; nil for no expiry
	text       []byte
}

func newComposer(c *Config, env sink.Env) (*composer, error) {
	compiled, err := env.CompileAll(c.Templates())
	if err != nil {
		return nil, err
	}
	m := &composer{config: c, payload: env.Encoder, topic: compiled[0], values: compiled[1:]}
	m.attributes, _ = env.Encoder.(event.Attributer)
	if seconds := uint32(time.Duration(c.MessageExpiry) / time.Second); seconds > 0 {
		m.expiry = &seconds
	}
	return m, nil
}

// compose returns the message of an event without its number. Its errors are permanent.
func (m *composer) compose(e *event.Event) (*packets.Publish, error) {
	topic, err := m.result(m.topic, e, "topic")
	if err != nil {
		return nil, err
	}
	p := &packets.Publish{Topic: topic, QoS: byte(m.config.QoS), Retain: m.config.Retain}
	p.Properties = &packets.Properties{ContentType: m.payload.ContentType(), MessageExpiry: m.expiry, User: m.standard(e)}
	for i, encoder := range m.values {
		name := m.config.UserProperties[i].Name
		value, err := m.result(encoder, e, name)
		if err != nil {
			return nil, err
		}
		p.Properties.User = append(p.Properties.User, packets.User{Key: name, Value: value})
	}
	if m.text, err = m.payload.Append(m.text[:0], e); err != nil {
		return nil, sink.Refuse(sink.RefusedEncode, e, err)
	}
	p.Payload = m.text
	return p, nil
}

// standard returns the properties of each message: those of the CloudEvents binding for MQTT,
// or the id and the time.
func (m *composer) standard(e *event.Event) []packets.User {
	list := make([]packets.User, 0, 8+len(m.values))
	if m.attributes != nil {
		m.attributes.Attributes(e, func(name, value string) {
			list = append(list, packets.User{Key: strings.TrimPrefix(name, "ce-"), Value: value})
		})
		return list
	}
	return append(list, packets.User{Key: propertyID, Value: e.ID()},
		packets.User{Key: propertyTime, Value: string(event.AppendTime(nil, e.Time))})
}

func (m *composer) result(encoder event.Encoder, e *event.Event, what string) (text string, err error) {
	m.text, err = encoder.Append(m.text[:0], e)
	if err != nil {
		return "", sink.Refuse(sink.RefusedEncode, e, fmt.Errorf("%s: %w", what, err))
	}
	return string(m.text), nil
}

// maxPacket is the largest packet of MQTT.
const maxPacket = 268_435_455

var errTooLong = errors.New("the packet is too long")

// appendPacket appends a packet to b, unless it is longer than limit.
func appendPacket(b *bytes.Buffer, p packets.Packet, limit int) error {
	before := b.Len()
	if _, err := p.WriteTo(b); err != nil {
		b.Truncate(before)
		return err
	}
	if n := b.Len() - before; n > limit {
		b.Truncate(before)
		return fmt.Errorf("%w: %d bytes, and the limit is %d", errTooLong, n, limit)
	}
	return nil
}
