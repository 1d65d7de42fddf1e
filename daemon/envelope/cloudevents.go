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
	Type   string // in reverse DNS; the kind of the event follows it. Empty is com.github.genltestd
	Binary bool   // write attributes outside the body, if the transport supports it
}

const jsonType = "application/json"

// cloudEvents writes CloudEvents 1.0 in structured mode: a JSON object with the
// attributes, and the event's own JSON as data.
type cloudEvents struct{ source, typePrefix string }

func newCloudEvents(o CloudEventsOptions) event.Encoder {
	c := cloudEvents{o.Source, cmp.Or(o.Type, "com.github.genltestd") + "."}
	if o.Binary {
		return &binaryCloudEvents{c}
	}
	return &c
}

func (c *cloudEvents) Append(dst []byte, e *event.Event) ([]byte, error) {
	dst = append(dst, `{"specversion":"1.0","type":"`...)
	dst = append(event.AppendJSONText(dst, c.typePrefix), e.Kind()...)
	dst = append(dst, `","source":"`...)
	if c.source != "" {
		dst = event.AppendJSONText(dst, c.source)
	} else {
		dst = appendSource(dst, e)
	}
	dst = e.AppendID(append(dst, `","id":"`...))
	dst = event.AppendTime(append(dst, `","time":"`...), e.Time)
	dst = appendSequence(append(dst, `","sequence":"`...), e.Seq)
	dst = append(dst, `","datacontenttype":"`+jsonType+`","data":`...)
	return append(e.AppendJSON(dst), '}'), nil
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
	const width = len("18446744073709551615")
	var digits [width]byte
	text := strconv.AppendUint(digits[:0], seq, 10)
	for range width - len(text) {
		dst = append(dst, '0')
	}
	return append(dst, text...)
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
	set("ce-type", headerValue(c.typePrefix+e.Kind()))
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
