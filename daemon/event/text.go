// SPDX-License-Identifier: Apache-2.0

package event

import "strconv"

// AppendText appends the event's text, as it is, or a sentence in its place for what
// is no event, and returns the extended buffer.
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
	}
	return append(dst, e.Message...)
}

// AppendShown appends the text as one line that no terminal obeys, or the sentence of
// AppendText. Exact reports whether these are the very bytes of the text.
func (e *Event) AppendShown(dst []byte) (_ []byte, exact bool) {
	if e.Kind() != "event" || IsVisible(e.Message) {
		return e.AppendText(dst), true
	}
	return AppendLine(dst, e.Message), false
}

func appendCount(dst []byte, n uint64, fate, reason string) []byte {
	dst = append(dst, "genltestd: "...)
	dst = strconv.AppendUint(dst, n, 10)
	if n == 1 {
		dst = append(dst, " event was "...)
	} else {
		dst = append(dst, " events were "...)
	}
	dst = append(append(dst, fate...), " ("...)
	return append(append(dst, reason...), ')')
}
