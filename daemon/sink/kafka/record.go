// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"fmt"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/window"
)

// The headers of each record.
const (
	headerID          = "id"
	headerTime        = "time"
	headerContentType = "content-type" // of the Kafka binding of CloudEvents too

	attributePrefix = "ce_" // of the attributes in that binding
)

// An encoder writes events as records.
type encoder struct {
	envelope   event.Encoder
	timed      event.TimeEncoder // nil unless the envelope uses the text of the time
	attributes event.Attributer  // nil unless the envelope writes attributes
	topic      event.Encoder
	key        event.Encoder // nil without keys
	headers    []header
	limit      int
	latest     string            // the name of the topic of the event before
	topics     map[string]string // names of topics, to allocate each once
}

type header struct {
	name  string
	value event.Encoder
}

// maxTopics limits the names of topics that are remembered.
const maxTopics = 1000

func newEncoder(c *Config, env *sink.Env) (*encoder, error) {
	e := &encoder{envelope: env.Encoder, limit: int(c.MaxMessage), topics: make(map[string]string)}
	e.timed, _ = env.Encoder.(event.TimeEncoder)
	e.attributes, _ = env.Encoder.(event.Attributer)
	compiled, err := env.CompileAll(c.Templates())
	if err != nil {
		return nil, err
	}
	e.topic, compiled = compiled[0], compiled[1:]
	for i, h := range c.Headers {
		e.headers = append(e.headers, header{h.Name, compiled[i]})
	}
	if c.Key != "" {
		e.key = compiled[len(c.Headers)]
	}
	return e, nil
}

// add adds the record of an event to a slab, and returns its size. The errors are permanent.
func (e *encoder) add(s *slab, ev *event.Event) (size int, err error) {
	topic, err := e.topicOf(s, ev)
	if err != nil {
		return 0, sink.Refuse(sink.RefusedEncode, ev, fmt.Errorf("topic: %w", err))
	}
	key, err := e.keyOf(s, ev)
	if err != nil {
		return 0, sink.Refuse(sink.RefusedEncode, ev, fmt.Errorf("key: %w", err))
	}
	headers, err := e.headersOf(s, ev)
	if err != nil {
		return 0, sink.Refuse(sink.RefusedEncode, ev, err)
	}
	value, err := e.valueOf(s, ev, headers[timeHeader].Value)
	if err != nil {
		return 0, sink.Refuse(sink.RefusedEncode, ev, err)
	}
	r := kgo.Record{Topic: topic, Key: key, Value: value, Headers: headers, Timestamp: ev.Time}
	if size = sizeOf(&r); size > e.limit {
		err := fmt.Errorf("the record has %d bytes, more than max_message allows, which is %d", size, e.limit)
		return 0, sink.Refuse(sink.RefusedTooLarge, ev, err)
	}
	s.records = append(s.records, r)
	return size, nil
}

func (e *encoder) topicOf(s *slab, ev *event.Event) (string, error) {
	before := len(s.text)
	name, err := s.encode(e.topic, ev)
	s.text = s.text[:before]
	if err != nil {
		return "", err
	}
	if string(name) != e.latest {
		e.latest = e.intern(name)
	}
	return e.latest, nil
}

// keyOf returns nil for a record without a key. The client spreads such records over the partitions.
func (e *encoder) keyOf(s *slab, ev *event.Event) ([]byte, error) {
	if e.key == nil {
		return nil, nil
	}
	key, err := s.encode(e.key, ev)
	if len(key) == 0 {
		return nil, err
	}
	return key, err
}

func (e *encoder) intern(name []byte) string {
	if topic, ok := e.topics[string(name)]; ok {
		return topic
	}
	if len(e.topics) == maxTopics {
		clear(e.topics)
	}
	topic := string(name)
	e.topics[topic] = topic
	return topic
}

// valueOf returns the event in its envelope. received is the text of its time.
func (e *encoder) valueOf(s *slab, ev *event.Event, received []byte) ([]byte, error) {
	if e.timed == nil {
		return s.encode(e.envelope, ev)
	}
	text, err := e.timed.AppendWithTime(s.text, received, ev)
	if err != nil {
		return nil, err
	}
	return s.extend(text), nil
}

// timeHeader is the index of the header of the time.
const timeHeader = 1

func (e *encoder) headersOf(s *slab, ev *event.Event) ([]kgo.RecordHeader, error) {
	begin := len(s.headers)
	s.addHeader(headerID, ev.AppendID(s.text))
	s.addHeader(headerTime, event.AppendTime(s.text, ev.Time))
	s.headers = append(s.headers, kgo.RecordHeader{Key: headerContentType, Value: s.constant(e.envelope.ContentType())})
	for _, h := range e.headers {
		value, err := s.encode(h.value, ev)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", h.name, err)
		}
		s.headers = append(s.headers, kgo.RecordHeader{Key: h.name, Value: value})
	}
	if e.attributes != nil {
		e.attributes.Attributes(ev, func(name, value string) {
			s.headers = append(s.headers, kgo.RecordHeader{Key: attributeName(name), Value: []byte(attributeValue(value))})
		})
	}
	return s.headers[begin:len(s.headers):len(s.headers)], nil
}

// attributeName changes the prefix of HTTP to that of Kafka.
func attributeName(name string) string { return attributePrefix + name[len("ce-"):] }

// attributeValue decodes the percent-encoding of HTTP, which the binding of Kafka does not
// have. Text that is not UTF-8 stays encoded.
func attributeValue(text string) string {
	if plain, err := url.PathUnescape(text); err == nil && utf8.ValidString(plain) {
		return plain
	}
	return text
}

// recordOverhead is more than a record adds to its fields, with the batch that contains it.
const recordOverhead, headerOverhead = 128, 10

func sizeOf(r *kgo.Record) int {
	size := len(r.Key) + len(r.Value) + recordOverhead
	for i := range r.Headers {
		size += len(r.Headers[i].Key) + len(r.Headers[i].Value) + headerOverhead
	}
	return size
}

// A message is a record with its result. The client passes it on as the record's context, which
// never ends. The client can still ask for its end after the result, when a later attempt has
// already used the memory again. So these methods must not read a field.
type message struct {
	slab *slab
	of   *window.Message
	err  error
}

var _ context.Context = (*message)(nil)

// Deadline implements context.Context.
func (*message) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done implements context.Context.
func (*message) Done() <-chan struct{} { return nil }

// Err implements context.Context.
func (*message) Err() error { return nil }

// Value implements context.Context.
func (*message) Value(any) any { return nil }
