// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/event"
)

// keyValues writes key=value pairs on one line. It quotes values that are not plain
// with the escapes of JSON, so the line is safe to print on a terminal. The text is
// always quoted.
type keyValues struct{ parts event.Parts }

func (l *keyValues) Append(dst []byte, e *event.Event) ([]byte, error) {
	begin := len(dst)
	for name, value := range l.parts.Of(e) {
		if len(dst) > begin {
			dst = append(dst, ' ')
		}
		dst = appendValue(append(append(dst, name...), '='), value)
	}
	if e.Origin != nil {
		for _, label := range e.Origin.Labels {
			dst = appendName(append(dst, " label_"...), label.Name, len(label.Name))
			dst = appendQuoted(append(dst, '='), label.Value)
		}
	}
	if e.HasSafeText() { // the parts contain everything
		return dst, nil
	}
	dst = appendQuoted(append(dst, " message="...), e.Message)
	if !utf8.Valid(e.Message) {
		dst = append(dst, ` message_base64="`...)
		dst = append(base64.StdEncoding.AppendEncode(dst, e.Message), '"')
	}
	return dst, nil
}

func (*keyValues) ContentType() string { return "text/plain; charset=utf-8" }

func (*keyValues) BatchContentType() string { return "" }

func appendValue(dst, value []byte) []byte {
	if len(value) == 0 {
		return append(dst, `""`...)
	}
	for _, c := range value {
		if !isWordByte(c) && c != '-' && c != '.' && c != ':' && c != '/' && c != '+' {
			return appendQuoted(dst, value)
		}
	}
	return append(dst, value...)
}

func appendQuoted[T string | []byte](dst []byte, value T) []byte {
	return append(event.AppendJSONText(append(dst, '"'), value), '"')
}
