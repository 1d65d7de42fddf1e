// SPDX-License-Identifier: Apache-2.0

// Package lines writes events as lines for the sinks that are a stream of bytes.
package lines

import (
	"bytes"
	"io"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Writer writes whole lines in order to a stream that may take a part of what
// it is given. A line that was cut by an error is completed by the next Write,
// so a reader never sees two lines in one. It is not safe for concurrent use.
type Writer struct {
	lines *Buffer
	cut   []byte // what the stream already has of the next line
}

// NewWriter returns a Writer of what encoder makes of the events.
func NewWriter(encoder event.Encoder) *Writer { return &Writer{lines: NewBuffer(encoder)} }

// Write encodes events and writes them by one call of out.Write. It returns how
// many of them out has taken whole. An event that cannot be encoded is a permanent
// error, after those before it were written.
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

// endOther ends the line that was cut, when what comes now is not its event: that
// one was given up in the meantime.
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

// accept notes where the stream stands when it has n bytes of the lines.
func (w *Writer) accept(n int) (accepted int) {
	accepted, rest := w.lines.Whole(n)
	w.cut = append(w.cut[:0], w.lines.Bytes()[n-rest:n]...)
	return accepted
}

// Reset forgets a line that was cut: the next Write goes to another stream.
func (w *Writer) Reset() { w.cut = w.cut[:0] }
