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
