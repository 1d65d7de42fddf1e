// SPDX-License-Identifier: Apache-2.0

// Package lines writes events as JSON lines for the sinks that are a stream of
// bytes.
package lines

import (
	"fmt"
	"io"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Writer writes whole lines in order to a stream that may take a part of what
// it is given. A line that was cut by an error is completed by the next Write,
// so a reader never sees two lines in one. It is not safe for concurrent use.
type Writer struct {
	buf  []byte
	ends []int  // of each event's line in buf
	cut  int    // bytes already written of the line of event torn
	torn string // id of that event, "" when there is none
}

// Write encodes events and writes them by one call of out.Write. It returns how
// many of them out has taken whole.
func (w *Writer) Write(out io.Writer, events []event.Event) (accepted int, err error) {
	w.buf, w.ends = w.buf[:0], w.ends[:0]
	for i := range events {
		w.buf = append(events[i].AppendJSON(w.buf), '\n')
		w.ends = append(w.ends, len(w.buf))
	}
	start := 0
	if w.torn != "" {
		if len(events) == 0 || events[0].ID() != w.torn {
			return 0, fmt.Errorf("event %s was half written and is not given again", w.torn)
		}
		start = w.cut
	}
	n, err := out.Write(w.buf[start:])
	if err == nil && start+n < len(w.buf) {
		err = io.ErrShortWrite
	}
	return w.accept(events, start+n), err
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
