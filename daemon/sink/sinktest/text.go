// SPDX-License-Identifier: Apache-2.0

package sinktest

import (
	"errors"

	"github.com/genltestd/genltestd/daemon/event"
)

// Refused is the text of an event that Text cannot write.
const Refused = "refuse"

// Text is an encoder with predictable output for tests: an event is encoded as its text,
// unchanged.
type Text struct{}

// Append implements event.Encoder.
func (Text) Append(dst []byte, e *event.Event) ([]byte, error) {
	if string(e.Message) == Refused {
		return dst, errors.New("no")
	}
	return append(dst, e.Message...), nil
}

// ContentType implements event.Encoder.
func (Text) ContentType() string { return "text/plain" }

// BatchContentType implements event.Encoder.
func (Text) BatchContentType() string { return "" }

// Texts returns an event for each text, with the ids j-1, j-2 and so on.
func Texts(list ...string) []event.Event {
	events := make([]event.Event, len(list))
	for i, text := range list {
		events[i] = event.Event{JournalID: "j", Seq: uint64(i) + 1, Message: []byte(text)}
	}
	return events
}
