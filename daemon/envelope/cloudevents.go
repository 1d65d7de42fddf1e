// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/daemon/event"
)

// CloudEventsOptions are the options of CloudEvents.
type CloudEventsOptions struct {
	Source string // a URI reference; empty is /genltestd/HOST/FAMILY/GROUP
	Type   string // in reverse DNS; the kind or the topic of the event follows it. Empty is com.github.genltestd
	Binary bool   // write attributes outside the body, if the transport supports it
}

const jsonType = "application/json"

// cloudEvents writes CloudEvents 1.0 in structured mode: a JSON object with the
// attributes, and the event's own JSON as data.
type cloudEvents struct {
	source, typePrefix string // of the options
	head               []byte // the JSON before the kind of an event
	middle             middle
}

// A middle is the JSON between the kind and the id of an event. It is the same for
// events of one host, family and group.
type middle struct {
	host, family, group string
	text                []byte // nil before the first event
}

func newCloudEvents(o CloudEventsOptions) event.Encoder {
	c := cloudEvents{source: o.Source, typePrefix: cmp.Or(o.Type, "com.github.genltestd") + "."}
	c.head = event.AppendJSONText([]byte(`{"specversion":"1.0","type":"`), c.typePrefix)
	if o.Binary {
		return &binaryCloudEvents{c}
	}
	return &c
}

func (c *cloudEvents) Append(dst []byte, e *event.Event) ([]byte, error) {
	dst = append(dst, c.head...)
	if e.Content == nil {
		dst = append(dst, e.Kind()...)
	} else {
		dst = appendTopic(dst, e, '.')
		dst = appendTopic(append(dst, `","subject":"`...), e, '/')
	}
	dst = e.AppendID(append(dst, c.middleOf(e)...))
	dst = append(dst, `","time":"`...)
	begin := len(dst)
	dst = event.AppendTime(dst, e.Time)
	received := dst[begin:]
	dst = appendSequence(append(dst, `","sequence":"`...), e.Seq)
	dst = append(dst, `","datacontenttype":"`+jsonType+`","data":`...)
	return append(e.AppendJSONWithTime(dst, received), '}'), nil
}

// topic names a message of a family other than genltest: the family and the command.
func topic(e *event.Event, separator string) string {
	if e.Content.Command == "" {
		return e.Family
	}
	return e.Family + separator + e.Content.Command
}

// appendTopic appends the topic, escaped for JSON.
func appendTopic(dst []byte, e *event.Event, separator byte) []byte {
	dst = event.AppendJSONText(dst, e.Family)
	if e.Content.Command == "" {
		return dst
	}
	return event.AppendJSONText(append(dst, separator), e.Content.Command)
}

func (c *cloudEvents) middleOf(e *event.Event) []byte {
	m := &c.middle
	if m.text != nil && m.host == e.Host && m.family == e.Family && m.group == e.Group {
		return m.text
	}
	text := append(m.text[:0], `","source":"`...)
	if c.source != "" {
		text = event.AppendJSONText(text, c.source)
	} else {
		text = appendSource(text, e)
	}
	c.middle = middle{e.Host, e.Family, e.Group, append(text, `","id":"`...)}
	return c.middle.text
}

func (*cloudEvents) ContentType() string { return "application/cloudevents+json" }

func (*cloudEvents) BatchContentType() string { return "application/cloudevents-batch+json" }

// appendSource appends a path that needs no escape in JSON or in a URI.
func appendSource(dst []byte, e *event.Event) []byte {
	dst = append(dst, "/genltestd"...)
	for _, segment := range [...]string{e.Host, e.Family, e.Group} {
		dst = appendSegment(append(dst, '/'), segment)
	}
	return dst
}

// appendSegment appends text, and percent-encodes the bytes that RFC 3986 does not call
// unreserved.
func appendSegment(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; isWordByte(c) || c == '-' || c == '.' || c == '~' {
			dst = append(dst, c)
		} else {
			dst = appendPercent(dst, c)
		}
	}
	return dst
}

func appendPercent(dst []byte, c byte) []byte {
	const hex = "0123456789ABCDEF"
	return append(dst, '%', hex[c>>4], hex[c&0xf])
}

// appendSequence appends the journal's number in the format of the extension
// "sequence", whose texts sort like numbers. The kernel's number is not suitable,
// because it restarts with each load of the module.
func appendSequence(dst []byte, seq uint64) []byte {
	const zeros = "00000000000000000000" // as many as the largest number has digits
	var digits [len(zeros)]byte
	text := strconv.AppendUint(digits[:0], seq, 10)
	return append(append(dst, zeros[len(text):]...), text...)
}

// binaryCloudEvents is the binary mode, in which the body is the data only. A batch
// would share one set of attributes, so batches are not supported.
type binaryCloudEvents struct{ cloudEvents }

var _ event.Attributer = (*binaryCloudEvents)(nil)

func (*binaryCloudEvents) Append(dst []byte, e *event.Event) ([]byte, error) {
	return e.AppendJSON(dst), nil
}

func (*binaryCloudEvents) ContentType() string { return jsonType }

func (*binaryCloudEvents) BatchContentType() string { return "" }

// Attributes uses the names and the encoding of the HTTP binding.
func (c *binaryCloudEvents) Attributes(e *event.Event, set func(name, value string)) {
	source := c.source
	if source == "" {
		source = string(appendSource(nil, e))
	}
	set("ce-specversion", "1.0")
	if e.Content == nil {
		set("ce-type", headerValue(c.typePrefix+e.Kind()))
	} else {
		set("ce-type", headerValue(c.typePrefix+topic(e, ".")))
		set("ce-subject", headerValue(topic(e, "/")))
	}
	set("ce-source", headerValue(source))
	set("ce-id", headerValue(e.ID()))
	set("ce-time", string(event.AppendTime(nil, e.Time)))
	set("ce-sequence", string(appendSequence(nil, e.Seq)))
}

// headerValue percent-encodes all bytes except printable ASCII, and the space, the
// double quote and the percent sign, as the HTTP binding requires.
func headerValue(text string) string {
	if !strings.ContainsFunc(text, mustEncode) {
		return text
	}
	var dst []byte
	for i := range len(text) {
		if c := text[i]; mustEncode(rune(c)) {
			dst = appendPercent(dst, c)
		} else {
			dst = append(dst, c)
		}
	}
	return string(dst)
}

func mustEncode(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '%' }
