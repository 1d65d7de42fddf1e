// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/genltestd/genltestd/daemon/redact"
)

// maxAnswer is the maximum length of a line of the program, in bytes.
const maxAnswer = 4 << 10

// An answer is one line of a program in stream mode. The program answers each line that it
// receives with one of:
//
//	ok ID              accepted: this event, and all unanswered events before it
//	retry ID REASON    not now
//	reject ID REASON   never
//
// ID is the event's id, or "-" for the oldest unanswered event.
type answer struct {
	verb, id string
	reason   []byte
	err      error // not nil: the line is not a valid answer
}

const oldest = "-"

// parseAnswer parses a line without its newline. The reason may be missing.
func parseAnswer(line []byte, mask *redact.Mask) answer {
	verb, rest, _ := bytes.Cut(line, []byte(" "))
	id, reason, _ := bytes.Cut(rest, []byte(" "))
	a := answer{verb: string(verb), id: string(id), reason: bytes.Clone(reason)}
	switch a.verb {
	case "ok", "retry", "reject":
	default:
		a.err = errNoAnswer(line, mask)
	}
	if a.id == "" {
		a.err = errNoAnswer(line, mask)
	}
	return a
}

func errNoAnswer(line []byte, mask *redact.Mask) error {
	return fmt.Errorf(`printed "%s", which is not a valid answer; begin it with ok, retry or reject and an event's id`, visible(line, mask))
}

// readAnswers reads lines until the program closes its standard output or prints an
// invalid answer, or stop is closed. It closes answers at the end.
func readAnswers(out io.Reader, mask *redact.Mask, answers chan<- answer, stop <-chan struct{}) {
	defer close(answers)
	in := bufio.NewReaderSize(out, maxAnswer)
	for {
		line, err := in.ReadSlice('\n')
		var a answer
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			a.err = errNoAnswer(line, mask)
		case err != nil: // an incomplete line is not an answer
			return
		default:
			a = parseAnswer(line[:len(line)-1], mask)
		}
		select {
		case answers <- a:
		case <-stop:
			return
		}
		if a.err != nil {
			return
		}
	}
}
