// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Fault is an error in a template, with its position.
type Fault struct {
	Line, Column int // in characters, from 1; 0 if not known
	Message      string
}

func (f *Fault) Error() string {
	switch {
	case f.Line == 0:
		return f.Message
	case f.Column == 0:
		return fmt.Sprintf("line %d: %s", f.Line, f.Message)
	}
	return fmt.Sprintf("line %d, column %d: %s", f.Line, f.Column, f.Message)
}

// located matches the start of an error of text/template. Its column counts bytes from
// 0.
var located = regexp.MustCompile(`^(?:template: )?template:(\d+)(?::(\d+))?: (?:executing "template" at )?`)

// faultOf converts an error of text/template to a Fault.
func faultOf(err error, text string) *Fault {
	if errors.Is(err, errOutput) {
		return &Fault{Message: errOutput.Error()}
	}
	message := err.Error()
	f := &Fault{}
	if m := located.FindStringSubmatch(message); m != nil {
		f.Line, f.Column = positionIn(text, m[1], m[2])
		message = message[len(m[0]):]
	}
	var missing runtime.Error // from a method of a nil *Gap
	if errors.As(err, &missing) {
		message = strings.Replace(message, missing.Error(), "this event does not contain it", 1)
	}
	f.Message = plain(string(event.AppendVisible(nil, []byte(message))))
	f.explainSyntax(text)
	return f
}

// positionIn converts a position of text/template, some of whose errors have a line
// only.
func positionIn(text, lineNumber, bytesBefore string) (line, column int) {
	line, _ = strconv.Atoi(lineNumber) // the pattern has digits
	n, err := strconv.Atoi(bytesBefore)
	lines := strings.Split(text, "\n")
	if err != nil || line < 1 || line > len(lines) || n > len(lines[line-1]) {
		return line, 0
	}
	return line, 1 + utf8.RuneCountInString(lines[line-1][:n])
}

// positionOf returns the position of an offset in text.
func positionOf(text string, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	line = 1 + strings.Count(before, "\n")
	return line, 1 + utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:])
}
