// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// The headers of each message.
const (
	headerID          = "Nats-Msg-Id" // a stream stores each id once in its window of duplicates
	headerContentType = "Content-Type"
)

// An encoding makes messages of events. The library copies a message when it publishes it, so
// the buffers are used again.
type encoding struct {
	encoder    event.Encoder
	attributes event.Attributer // nil without attributes
	subject    event.Encoder
	headers    []header

	message nats.Msg
	text    []byte   // of a subject or a header
	id      []string // the value of headerID
}

type header struct {
	name  string
	value event.Encoder
}

func newEncoding(c *Config, env sink.Env) (*encoding, error) {
	compiled, err := env.CompileAll(c.Templates())
	if err != nil {
		return nil, err
	}
	m := &encoding{encoder: env.Encoder, id: make([]string, 1)}
	m.attributes, _ = env.Encoder.(event.Attributer)
	m.message.Header = nats.Header{headerID: m.id}
	if contentType := env.Encoder.ContentType(); contentType != "" {
		m.message.Header.Set(headerContentType, contentType)
	}
	m.subject = compiled[0]
	for i, h := range c.Headers {
		m.headers = append(m.headers, header{h.Name, compiled[1+i]})
	}
	return m, nil
}

// Templates implements sink.Templater. The subject is the first.
func (c *Config) Templates() []sink.Template {
	all := []sink.Template{{Key: "nats.subject", Text: c.Subject, Replace: appendToken, Accept: acceptSubject}}
	for i, h := range c.Headers {
		key := fmt.Sprintf("nats.headers[%d].value", i)
		all = append(all, sink.Template{Key: key, Text: h.Value, Replace: appendHeader, Accept: acceptHeader})
	}
	return all
}

// encode returns the message of an event, which is valid until the next call. Its errors are
// permanent.
func (m *encoding) encode(e *event.Event) (*nats.Msg, error) {
	if err := m.fill(e); err != nil {
		return nil, sink.Refuse(sink.RefusedEncode, e, err)
	}
	return &m.message, nil
}

func (m *encoding) fill(e *event.Event) (err error) {
	if m.message.Data, err = m.encoder.Append(m.message.Data[:0], e); err != nil {
		return err
	}
	if m.text, err = m.subject.Append(m.text[:0], e); err != nil {
		return err
	}
	if string(m.text) != m.message.Subject {
		m.message.Subject = string(m.text)
	}
	m.id[0] = e.ID()
	for _, h := range m.headers {
		if m.text, err = h.value.Append(m.text[:0], e); err != nil {
			return fmt.Errorf("header %s: %w", h.name, err)
		}
		m.set(h.name, string(m.text))
	}
	if m.attributes != nil {
		m.attributes.Attributes(e, m.set)
	}
	return nil
}

// set sets a header. An event without an attribute of the last one does not inherit it.
func (m *encoding) set(name, value string) {
	if list := m.message.Header[name]; len(list) == 1 {
		list[0] = value
		return
	}
	m.message.Header[name] = []string{value}
}

// publish hands a message to the library. An error about the message itself is permanent.
func (l *link) publish(m *nats.Msg, reply string) error {
	m.Reply = reply
	err := l.conn.PublishMsg(m)
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		size := m.Size() - len(m.Subject) - len(m.Reply)
		err = fmt.Errorf("the headers and the event have %d bytes; max_payload of the server is %d", size, l.conn.MaxPayload())
		return sink.Permanent(sink.Refusal{Kind: sink.RefusedTooLarge}.Mark(err))
	case errors.Is(err, nats.ErrBadSubject):
		return sink.Permanent(sink.Refusal{Kind: sink.RefusedEncode}.Mark(err))
	}
	return err
}
