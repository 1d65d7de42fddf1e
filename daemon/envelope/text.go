// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"fmt"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Text is a value that somebody else has chosen: the text of an event, a part of it,
// the name of a host. A template that writes it writes it visibly: String escapes all
// that a terminal would obey or that would end a line. Functions work on the exact
// bytes, and their result is a Text too unless it is visible in any case.
type Text string

func (t Text) String() string {
	if event.IsVisible(string(t)) {
		return string(t)
	}
	return string(event.AppendVisible(nil, []byte(t)))
}

// exactly returns the bytes of a text of either type.
func exactly(value any) (text string, untrusted bool, err error) {
	switch v := value.(type) {
	case string:
		return v, false, nil
	case Text:
		return string(v), true, nil
	}
	return "", false, fmt.Errorf("%v is not a text; write a field such as .Text", value)
}

// like returns text as the type that it was made of.
func like(untrusted bool, text string) any {
	if untrusted {
		return Text(text)
	}
	return text
}
