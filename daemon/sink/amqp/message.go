// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// attributePrefix begins the headers with the attributes of a CloudEvent, as in the AMQP
// binding of CloudEvents. The binding is written for AMQP 1.0; RabbitMQ maps headers of AMQP
// 0-9-1 to its application properties.
const attributePrefix = "cloudEvents_"

// A writer makes messages. Its buffers are used again for each message.
type writer struct {
	config     *Config
	encoder    event.Encoder
	templates  *encoders
	body, text []byte
}

// A message is ready to be published.
type message struct {
	routingKey string
	publishing amqp091.Publishing
}

// write returns the message of an event. Its body is valid until the next call. Errors are
// permanent.
func (w *writer) write(e *event.Event) (m message, err error) {
	m.publishing = amqp091.Publishing{
		ContentType:  w.encoder.ContentType(),
		DeliveryMode: w.config.deliveryMode(),
		Priority:     uint8(w.config.Priority),
		Expiration:   w.config.expiration(),
		MessageId:    e.ID(),
		Timestamp:    e.Time,
		AppId:        w.config.AppID,
	}
	if m.routingKey, err = w.result(w.templates.routingKey, e); err == nil {
		m.publishing.Type, err = w.result(w.templates.kind, e)
	}
	if err == nil {
		m.publishing.Headers, err = w.headers(e)
	}
	if err == nil {
		w.body, err = w.encoder.Append(w.body[:0], e)
	}
	if err != nil {
		return m, sink.Refuse(sink.RefusedEncode, e, err)
	}
	m.publishing.Body = w.body
	return m, nil
}

// result returns the result of a template.
func (w *writer) result(template event.Encoder, e *event.Event) (text string, err error) {
	w.text, err = template.Append(w.text[:0], e)
	return string(w.text), err
}

func (w *writer) headers(e *event.Event) (table amqp091.Table, err error) {
	attributer, ok := w.encoder.(event.Attributer)
	if len(w.config.Headers) == 0 && !ok {
		return nil, nil
	}
	table = make(amqp091.Table, len(w.config.Headers)+8)
	for i, h := range w.config.Headers {
		if table[h.Name], err = w.result(w.templates.headers[i], e); err != nil {
			return nil, err
		}
	}
	if ok {
		attributer.Attributes(e, func(name, value string) { setAttribute(table, name, value) })
	}
	return table, nil
}

// setAttribute adds an attribute of a CloudEvent, whose name and value are those of a header
// of HTTP.
func setAttribute(table amqp091.Table, name, value string) {
	if plain, err := url.PathUnescape(value); err == nil {
		value = plain
	}
	table[attributePrefix+strings.TrimPrefix(name, "ce-")] = value
}

// headerBytes returns a maximum of the size of the properties: AMQP sends them in one frame.
func (m *message) headerBytes() int {
	p := &m.publishing
	n := 64 + len(p.ContentType) + len(p.MessageId) + len(p.AppId) + len(p.Type) + len(p.Expiration)
	for name, value := range p.Headers {
		n += 6 + len(name) + len(value.(string))
	}
	return n
}

func (c *Config) deliveryMode() uint8 {
	if c.Persistent {
		return amqp091.Persistent
	}
	return amqp091.Transient
}

// expiration returns milliseconds, or the empty text, which means no limit.
func (c *Config) expiration() string {
	if c.Expiration == 0 {
		return amqp091.NeverExpire
	}
	return strconv.FormatInt(max(time.Duration(c.Expiration).Milliseconds(), 1), 10)
}
