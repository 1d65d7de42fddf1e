// SPDX-License-Identifier: Apache-2.0

package event

import "bytes"

// An Encoder writes events in the format of a sink's receiver: see package envelope. It
// is not safe for concurrent use.
type Encoder interface {
	// Append appends the event to dst and returns the extended buffer. An error means
	// that this event cannot be encoded, now or later; dst is then returned unchanged.
	Append(dst []byte, e *Event) ([]byte, error)
	// ContentType returns the media type of one event.
	ContentType() string
	// BatchContentType returns the media type of a JSON array of events. It is empty if
	// an array is not possible: Append does not write JSON, or the JSON is incomplete
	// without the attributes.
	BatchContentType() string
}

// An Attributer is an Encoder that writes part of an event as attributes of the
// transport, such as headers of a request or properties of a message.
type Attributer interface {
	Encoder
	// Attributes calls set for each attribute of e, always in the same order. The
	// values are safe for an HTTP header.
	Attributes(e *Event, set func(name, value string))
}

// A TimeEncoder is an Encoder that can use the text of the event's time, for callers that
// need this text themselves.
type TimeEncoder interface {
	Encoder
	// AppendWithTime is Append for a caller that already has the output of AppendTime for
	// e.Time, which may be a part of dst.
	AppendWithTime(dst, received []byte, e *Event) ([]byte, error)
}

// A Marker is an Encoder of syslog messages that marks UTF-8 as RFC 5424 requires, by a
// byte order mark before the text. Only a syslog server expects the mark.
type Marker interface {
	Encoder
	// AppendMarked is Append with the mark.
	AppendMarked(dst []byte, e *Event) ([]byte, error)
}

// AppendLineOf appends the output of encoder as one line, without its end, that is safe
// to print on a terminal. JSON is safe already; in other output, control characters are
// escaped.
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

// JSON is the Encoder that uses AppendJSON.
type JSON struct{}

var _ TimeEncoder = JSON{}

// Append implements Encoder.
func (JSON) Append(dst []byte, e *Event) ([]byte, error) { return e.AppendJSON(dst), nil }

// AppendWithTime implements TimeEncoder.
func (JSON) AppendWithTime(dst, received []byte, e *Event) ([]byte, error) {
	return e.AppendJSONWithTime(dst, received), nil
}

// ContentType implements Encoder.
func (JSON) ContentType() string { return "application/json" }

// BatchContentType implements Encoder.
func (JSON) BatchContentType() string { return "application/json" }
