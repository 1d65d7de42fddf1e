// SPDX-License-Identifier: Apache-2.0

// Package lines writes events as lines for the sinks that are a stream of bytes.
package lines

import (
	"bytes"
	"fmt"
	"io"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// A Writer writes whole lines in order to a stream that may take a part of what
// it is given. A line that was cut by an error is completed by the next Write,
// so a reader never sees two lines in one. It is not safe for concurrent use.
//
// What the encoder writes is one line in any case: control characters in what is
// not JSON stand as escapes.
type Writer struct {
	encoder event.Encoder
	escape  bool

	buf     []byte
	scratch []byte
	ends    []int  // of each event's line in buf
	cut     int    // bytes already written of the line of event torn
	torn    string // id of that event, "" when there is none
}

// NewWriter returns a Writer of what encoder makes of the events.
func NewWriter(encoder event.Encoder) *Writer {
	return &Writer{encoder: encoder, escape: encoder.BatchContentType() == ""}
}

// Write encodes events and writes them by one call of out.Write. It returns how
// many of them out has taken whole. An event that cannot be encoded is a permanent
// error, after those before it were written.
func (w *Writer) Write(out io.Writer, events []event.Event) (accepted int, err error) {
	encodeErr := w.encode(events)
	start := 0
	if w.torn != "" {
		if len(events) == 0 || events[0].ID() != w.torn || w.cut > len(w.buf) {
			return 0, fmt.Errorf("event %s was half written and is not given again", w.torn)
		}
		start = w.cut
	}
	n := 0
	if len(w.ends) > 0 {
		n, err = out.Write(w.buf[start:])
	}
	if err == nil && start+n < len(w.buf) {
		err = io.ErrShortWrite
	}
	accepted = w.accept(events, start+n)
	if err == nil {
		err = encodeErr
	}
	return accepted, err
}

// encode stops at the first event that cannot be encoded.
func (w *Writer) encode(events []event.Event) error {
	w.buf, w.ends = w.buf[:0], w.ends[:0]
	for i := range events {
		if err := w.line(&events[i]); err != nil {
			return sink.Permanent(fmt.Errorf("encode event %s: %w", events[i].ID(), err))
		}
		w.ends = append(w.ends, len(w.buf))
	}
	return nil
}

func (w *Writer) line(e *event.Event) error {
	begin := len(w.buf)
	buf, err := w.encoder.Append(w.buf, e)
	if err != nil {
		return err
	}
	if text := buf[begin:]; w.escape && !event.IsVisible(text) {
		// The line's own end, which templates and texts have, is none to show.
		w.scratch = append(w.scratch[:0], bytes.TrimRight(text, "\r\n")...)
		buf = event.AppendVisible(buf[:begin], w.scratch)
	}
	w.buf = append(buf, '\n')
	return nil
}

// accept notes where the stream stands after written bytes of buf.
func (w *Writer) accept(events []event.Event, written int) (accepted int) {
	begin := 0
	for accepted < len(w.ends) && w.ends[accepted] <= written {
		begin = w.ends[accepted]
		accepted++
	}
	w.cut, w.torn = written-begin, ""
	if w.cut > 0 {
		w.torn = events[accepted].ID()
	}
	return accepted
}

// Reset forgets a line that was cut: the next Write goes to another stream.
func (w *Writer) Reset() { w.cut, w.torn = 0, "" }
