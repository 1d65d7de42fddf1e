// SPDX-License-Identifier: Apache-2.0

package event

import "strconv"

// AppendText appends the event's text unchanged, and returns the extended buffer. The text
// of a Content is one line that is safe to print on a terminal: see Content.AppendText. A
// gap, suppressed events and a test are described by a sentence.
func (e *Event) AppendText(dst []byte) []byte {
	switch {
	case e.Gap != nil:
		dst = appendCount(dst, e.Gap.Count, "lost", e.Gap.Reason)
		dst = AppendTime(append(dst, ", noticed from "...), e.Gap.From)
		return AppendTime(append(dst, " to "...), e.Gap.To)
	case e.Suppressed != nil:
		dst = appendCount(dst, e.Suppressed.Count, "suppressed", e.Suppressed.Reason)
		dst = AppendTime(append(dst, ", received from "...), e.Suppressed.From)
		return AppendTime(append(dst, " to "...), e.Suppressed.To)
	case e.Test != nil:
		return append(append(dst, "genltestd: an operator tests the sink "...), e.Test.Sink...)
	case e.Content != nil:
		return e.Content.AppendText(dst)
	}
	return append(dst, e.Message...)
}

// AppendShown appends the text of AppendText as one line that is safe to print on a
// terminal. It returns true if it changed no byte of the text.
func (e *Event) AppendShown(dst []byte) (_ []byte, exact bool) {
	if e.HasSafeText() || IsVisible(e.Message) {
		return e.AppendText(dst), true
	}
	return AppendLine(dst, e.Message), false
}

// HasSafeText reports whether the text of AppendText is safe to print on a terminal in any
// case, because the daemon writes it. The text is then not in Message.
func (e *Event) HasSafeText() bool { return e.Content != nil || e.Kind() != "event" }

func appendCount(dst []byte, n uint64, outcome, reason string) []byte {
	dst = append(dst, "genltestd: "...)
	dst = strconv.AppendUint(dst, n, 10)
	if n == 1 {
		dst = append(dst, " event was "...)
	} else {
		dst = append(dst, " events were "...)
	}
	dst = append(append(dst, outcome...), " ("...)
	return append(append(dst, reason...), ')')
}
