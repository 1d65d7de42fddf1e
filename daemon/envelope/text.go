// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"fmt"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Text is an untrusted value: the text of an event, a part of it, or the name of a
// host. String escapes the characters that control a terminal or end a line, so a
// template writes it safely. Functions process the exact bytes. Their result is also a
// Text, unless it is always safe.
type Text string

func (t Text) String() string {
	if event.IsVisible(string(t)) {
		return string(t)
	}
	return string(event.AppendVisible(nil, []byte(t)))
}

// textOf returns the bytes of a string or a Text.
func textOf(value any) (text string, untrusted bool, err error) {
	switch v := value.(type) {
	case string:
		return v, false, nil
	case Text:
		return string(v), true, nil
	}
	return "", false, fmt.Errorf("%v is not a text; write a field such as .Text", value)
}

// sameType returns text as a Text if it is untrusted, or else as a string.
func sameType(untrusted bool, text string) any {
	if untrusted {
		return Text(text)
	}
	return text
}
