// SPDX-License-Identifier: Apache-2.0

package event

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

// JSON is the Encoder of what AppendJSON writes.
type JSON struct{}

var _ Encoder = JSON{}

// Append implements Encoder.
func (JSON) Append(dst []byte, e *Event) ([]byte, error) { return e.AppendJSON(dst), nil }

// ContentType implements Encoder.
func (JSON) ContentType() string { return "application/json" }

// BatchContentType implements Encoder.
func (JSON) BatchContentType() string { return "application/json" }
