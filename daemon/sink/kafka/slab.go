// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/genltestd/genltestd/daemon/event"
)

// A slab has the records of one attempt with their bytes. Its memory is used again when
// every record has a result.
type slab struct {
	pool     *pool
	records  []kgo.Record
	messages []message
	headers  []kgo.RecordHeader
	text     []byte
	typed    []byte // the constant content type
	left     atomic.Int64
}

// reset makes an empty slab with room for n records, which must not move.
func (s *slab) reset(n int) {
	if cap(s.records) < n {
		s.records, s.messages = make([]kgo.Record, 0, n), make([]message, 0, n)
	}
	s.records, s.messages, s.headers, s.text = s.records[:0], s.messages[:0], s.headers[:0], s.text[:0]
	s.left.Store(1) // of the attempt that fills it
}

// encode appends the output of an encoder to the text. When the text grows, earlier outputs
// stay in the memory that it had before.
func (s *slab) encode(e event.Encoder, ev *event.Event) ([]byte, error) {
	begin := len(s.text)
	text, err := e.Append(s.text, ev)
	if err != nil {
		return nil, err
	}
	s.text = text
	return text[begin:len(text):len(text)], nil
}

// addHeader adds a header with the value that extended contains after the text.
func (s *slab) addHeader(name string, extended []byte) {
	begin := len(s.text)
	s.text = extended
	s.headers = append(s.headers, kgo.RecordHeader{Key: name, Value: extended[begin:len(extended):len(extended)]})
}

func (s *slab) constant(text string) []byte {
	if string(s.typed) != text {
		s.typed = []byte(text)
	}
	return s.typed
}

func (s *slab) add(r kgo.Record) *kgo.Record {
	s.records = append(s.records, r)
	return &s.records[len(s.records)-1]
}

// bind connects a record to its result.
func (s *slab) bind(r *kgo.Record, done func(error)) {
	s.messages = append(s.messages, message{s, done})
	r.Context = &s.messages[len(s.messages)-1]
	s.left.Add(1)
}

// release ends the use of a record, or the attempt that filled the slab.
func (s *slab) release() {
	if s.left.Add(-1) == 0 {
		s.pool.put(s)
	}
}

// A pool keeps one slab. Others exist only while the records of an earlier attempt are in flight.
type pool struct {
	mu   sync.Mutex
	idle *slab
}

// get returns a slab with room for n records.
func (p *pool) get(n int) *slab {
	p.mu.Lock()
	s := p.idle
	p.idle = nil
	p.mu.Unlock()
	if s == nil {
		s = &slab{pool: p}
	}
	s.reset(n)
	return s
}

func (p *pool) put(s *slab) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = s
}
