// SPDX-License-Identifier: Apache-2.0

// Package lines writes events as lines for the sinks that are a stream of bytes.
package lines

import (
	"bytes"
	"io"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Writer writes whole lines, in order, to a stream that may accept only a part of each
// write. The next Write completes a line that an error has cut, so a reader never receives
// two lines in one. It is not safe for concurrent use.
type Writer struct {
	lines *Buffer
	cut   []byte // the part of the next line that the stream already has
}

// NewWriter returns a Writer that encodes events with encoder.
func NewWriter(encoder event.Encoder) *Writer { return &Writer{lines: NewBuffer(encoder)} }

// Write encodes events and writes them by one call of out.Write. It returns how many of
// them out has accepted completely. An event that cannot be encoded is a permanent error,
// after the events before it were written.
func (w *Writer) Write(out io.Writer, events []event.Event) (accepted int, err error) {
	encodeErr := w.lines.Encode(events)
	if err := w.endOther(out); err != nil {
		return 0, err
	}
	begin, n := len(w.cut), 0
	text := w.lines.Bytes()[begin:]
	if len(text) > 0 {
		n, err = out.Write(text)
	}
	if err == nil && n < len(text) {
		err = io.ErrShortWrite
	}
	accepted = w.accept(begin + n)
	if err == nil {
		err = encodeErr
	}
	return accepted, err
}

// endOther ends an incomplete line if the next event is another one: delivery has given up
// the event of that line meanwhile.
func (w *Writer) endOther(out io.Writer) error {
	if len(w.cut) == 0 || bytes.HasPrefix(w.lines.Bytes(), w.cut) {
		return nil
	}
	if _, err := out.Write([]byte{'\n'}); err != nil {
		return err
	}
	w.Reset()
	return nil
}

// accept updates the state after the stream has accepted n bytes of the lines.
func (w *Writer) accept(n int) (accepted int) {
	accepted, rest := w.lines.Whole(n)
	w.cut = append(w.cut[:0], w.lines.Bytes()[n-rest:n]...)
	return accepted
}

// Reset forgets an incomplete line: the next Write uses another stream.
func (w *Writer) Reset() { w.cut = w.cut[:0] }
