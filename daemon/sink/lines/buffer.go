// SPDX-License-Identifier: Apache-2.0

package lines

import (
	"fmt"
	"sort"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// A Buffer holds events as lines. Each event is always one line: line ends and other control
// characters within it are escaped. A Buffer is not safe for concurrent use.
type Buffer struct {
	encoder event.Encoder
	buf     []byte
	ends    []int // of each event's line in buf
}

// NewBuffer returns a Buffer that encodes events with encoder.
func NewBuffer(encoder event.Encoder) *Buffer {
	return &Buffer{encoder: encoder}
}

// Encode replaces the contents of the buffer by the lines of events. An event that cannot
// be encoded is a permanent error; the buffer then has the events before it.
func (b *Buffer) Encode(events []event.Event) error {
	b.buf, b.ends = b.buf[:0], b.ends[:0]
	for i := range events {
		if err := b.line(&events[i]); err != nil {
			return sink.Permanent(sink.Refusal{Kind: sink.RefusedEncode}.Mark(fmt.Errorf("encode event %s: %w", events[i].ID(), err)))
		}
		b.ends = append(b.ends, len(b.buf))
	}
	return nil
}

func (b *Buffer) line(e *event.Event) error {
	buf, err := event.AppendLineOf(b.buf, b.encoder, e)
	if err != nil {
		return err
	}
	b.buf = append(buf, '\n')
	return nil
}

// Bytes returns the lines, each with its end, until the next Encode.
func (b *Buffer) Bytes() []byte { return b.buf }

// Len returns the number of lines.
func (b *Buffer) Len() int { return len(b.ends) }

// Line returns one of the lines with its end, until the next Encode.
func (b *Buffer) Line(i int) []byte {
	if i == 0 {
		return b.buf[:b.ends[0]]
	}
	return b.buf[b.ends[i-1]:b.ends[i]]
}

// Whole returns how many lines are complete within the first n bytes, and how many of
// these bytes belong to the next line.
func (b *Buffer) Whole(n int) (lines, rest int) {
	lines = sort.SearchInts(b.ends, n+1)
	if lines > 0 {
		n -= b.ends[lines-1]
	}
	return lines, n
}
