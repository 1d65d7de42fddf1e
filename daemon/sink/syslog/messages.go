// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"errors"
	"fmt"
	"sort"
	"strconv"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// messages are the framed messages of one batch, one after the other.
type messages struct {
	encoder event.Encoder
	framing string // of a stream; empty: one message per datagram
	limit   int    // bytes of a message

	buf  []byte
	ends []int // of each in buf
	text []byte
}

// encode stops at the first event that cannot be encoded as a message. The error is
// permanent.
func (m *messages) encode(events []event.Event) error {
	m.buf, m.ends = m.buf[:0], m.ends[:0]
	for i := range events {
		if kind, err := m.add(&events[i]); err != nil {
			return sink.Permanent(sink.Refusal{Kind: kind}.Mark(fmt.Errorf("event %s: %w", events[i].ID(), err)))
		}
	}
	return nil
}

// add returns the kind of refusal together with an error.
func (m *messages) add(e *event.Event) (_ sink.RefusalKind, err error) {
	if m.text, err = m.message(m.text[:0], e); err != nil {
		return sink.RefusedEncode, err
	}
	text := m.text
	switch {
	case len(text) == 0:
		return sink.RefusedEncode, errors.New("the message is empty")
	case len(text) > m.limit:
		return sink.RefusedTooLarge, fmt.Errorf("the message has %d bytes, more than max_message allows, which is %d", len(text), m.limit)
	}
	if m.framing == framingOctets {
		m.buf = append(strconv.AppendInt(m.buf, int64(len(text)), 10), ' ')
	}
	m.buf = append(m.buf, text...)
	if m.framing == framingNewline {
		m.buf = append(m.buf, '\n')
	}
	m.ends = append(m.ends, len(m.buf))
	return "", nil
}

// message appends the message of an event. It is one line in each framing, because servers
// write lines too. A byte order mark is for a single message only: in a stream of lines it
// would be part of the text.
func (m *messages) message(dst []byte, e *event.Event) ([]byte, error) {
	if marker, ok := m.encoder.(event.Marker); ok && m.framing != framingNewline {
		return marker.AppendMarked(dst, e)
	}
	return event.AppendLineOf(dst, m.encoder, e)
}

func (m *messages) count() int { return len(m.ends) }

// at returns one message.
func (m *messages) at(i int) []byte {
	if i == 0 {
		return m.buf[:m.ends[0]]
	}
	return m.buf[m.ends[i-1]:m.ends[i]]
}

// within returns how many messages are complete within the first n bytes.
func (m *messages) within(n int) int { return sort.SearchInts(m.ends, n+1) }
