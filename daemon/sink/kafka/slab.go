// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/window"
)

// A slab has the records of one attempt with their bytes. Its memory is used again by the next
// attempt, when every record has a result.
type slab struct {
	records  []kgo.Record
	messages []message // of the records
	headers  []kgo.RecordHeader
	text     []byte
	typed    []byte // the constant content type

	produced int            // number of records that the client has received
	size     int            // of the other records
	pending  sync.WaitGroup // records that the client has
	failed   bool           // a record was not accepted; valid while nothing is in flight
	chained  bool           // the last part may have several batches of one partition
}

// reset empties a slab, and makes room for n records, which must not move.
func (s *slab) reset(n int) {
	if cap(s.records) < n {
		s.records, s.messages = make([]kgo.Record, 0, n), make([]message, 0, n)
	}
	s.records, s.messages, s.headers, s.text = s.records[:0], s.messages[:0], s.headers[:0], s.text[:0]
	s.produced, s.size, s.failed = 0, 0, false
}

// encode appends the output of an encoder to the text. When the text grows, earlier outputs
// stay in the memory that it had before.
func (s *slab) encode(e event.Encoder, ev *event.Event) ([]byte, error) {
	text, err := e.Append(s.text, ev)
	if err != nil {
		return nil, err
	}
	return s.extend(text), nil
}

// addHeader adds a header with the value that extended contains after the text.
func (s *slab) addHeader(name string, extended []byte) {
	s.headers = append(s.headers, kgo.RecordHeader{Key: name, Value: s.extend(extended)})
}

// extend replaces the text with a longer text that begins with it, and returns the new part.
func (s *slab) extend(text []byte) []byte {
	begin := len(s.text)
	s.text = text
	return text[begin:len(text):len(text)]
}

func (s *slab) constant(text string) []byte {
	if string(s.typed) != text {
		s.typed = []byte(text)
	}
	return s.typed
}

// bind connects the last record to its result.
func (s *slab) bind(m *window.Message) {
	s.messages = append(s.messages, message{slab: s, of: m})
	s.records[len(s.records)-1].Context = &s.messages[len(s.messages)-1]
}
