// SPDX-License-Identifier: Apache-2.0

package event

import "bytes"

// An Encoder writes events as the receiver of a sink wants them: see package
// envelope. It is not safe for concurrent use.
type Encoder interface {
	// Append appends the event to dst and returns the extended buffer. An error
	// says that this event cannot be written so, now or later; dst is returned as
	// it was.
	Append(dst []byte, e *Event) ([]byte, error)
	// ContentType is the media type of one event.
	ContentType() string
	// BatchContentType is the media type of a JSON array of several; empty when there
	// can be none: what Append writes is not JSON, or says not all without its
	// attributes.
	BatchContentType() string
}

// An Attributer is an Encoder that says part of an event beside the body, where
// the transport has a place for it: headers of a request, properties of a
// message.
type Attributer interface {
	Encoder
	// Attributes calls set for each attribute of e, always in the same order. The
	// values are safe for an HTTP header.
	Attributes(e *Event, set func(name, value string))
}

// A Marker is an Encoder of syslog messages that marks UTF-8 as RFC 5424 requires, by a
// byte order mark before the text. Only a syslog server expects it.
type Marker interface {
	Encoder
	// AppendMarked is Append with the mark.
	AppendMarked(dst []byte, e *Event) ([]byte, error)
}

// AppendLineOf appends what encoder makes of an event as one line that no terminal
// obeys, without its end. JSON is that already; of another encoder's output control
// characters become escapes.
func AppendLineOf(dst []byte, encoder Encoder, e *Event) ([]byte, error) {
	begin := len(dst)
	dst, err := encoder.Append(dst, e)
	if err != nil || encoder.BatchContentType() != "" {
		return dst, err
	}
	text := WithoutBreak(dst[begin:])
	if IsVisible(text) {
		return dst[:begin+len(text)], nil
	}
	return AppendVisible(dst[:begin], bytes.Clone(text)), nil
}

// JSON is the Encoder of what AppendJSON writes.
type JSON struct{}

var _ Encoder = JSON{}

// Append implements Encoder.
func (JSON) Append(dst []byte, e *Event) ([]byte, error) { return e.AppendJSON(dst), nil }

// ContentType implements Encoder.
func (JSON) ContentType() string { return "application/json" }

// BatchContentType implements Encoder.
func (JSON) BatchContentType() string { return "application/json" }
