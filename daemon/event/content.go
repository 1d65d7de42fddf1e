// SPDX-License-Identifier: Apache-2.0

package event

// A Content is the message of a family that sends attributes instead of a text. Device
// names and similar values are chosen by others: treat them as untrusted bytes.
type Content struct {
	Command    string // name in the specification, or the number; empty if the message is too short
	Attributes Object // complete, or the part that could be decoded

	Error string // the first fault of a message that could not be decoded completely
	Raw   []byte // then the netlink message with its headers
}

// appendJSON appends the fields of the event's JSON, each after a comma.
func (c *Content) appendJSON(dst []byte) []byte {
	dst = appendField(dst, "command", c.Command)
	dst = c.Attributes.AppendJSON(appendName(dst, "attributes"))
	if c.Error != "" {
		dst = appendField(dst, "error", c.Error)
		dst = Hex.append(append(appendName(dst, "raw"), '"'), c.Raw)
		dst = append(dst, '"')
	}
	return dst
}

// AppendText appends the command and the attributes as one line, such as
// "dev-add-ntf ifindex=2 xdp-features=7". A value of a nested object has the names of the
// objects before its own, separated by dots. Lists are JSON. A text is JSON too if it has
// spaces or other characters that would make the line ambiguous. The fault and the bytes
// of a message that could not be decoded completely follow.
func (c *Content) AppendText(dst []byte) []byte {
	begin := len(dst)
	dst = AppendVisible(dst, c.Command)
	for w := walk(c.Attributes); w.next(); {
		if len(dst) > begin {
			dst = append(dst, ' ')
		}
		dst = w.appendPath(dst)
		dst = w.value.appendWord(append(dst, '='))
		if !w.value.isUTF8() {
			dst = w.appendPath(append(dst, ' '))
			dst = w.value.appendBase64(append(append(dst, Base64Suffix...), '='))
		}
	}
	if c.Error == "" {
		return dst
	}
	if len(dst) > begin {
		dst = append(dst, "; "...)
	}
	dst = AppendVisible(append(dst, "decoding failed: "...), c.Error)
	return Hex.append(append(dst, "; message "...), c.Raw)
}

// appendWord appends v without spaces outside of quotes.
func (v Value) appendWord(dst []byte) []byte {
	if v.Kind() == TextValue && isWord(v.Bytes()) {
		return append(dst, v.Bytes()...)
	}
	if v.Kind() == BytesValue && len(v.Bytes()) > 0 || v.Kind() == UintValue || v.Kind() == IntValue {
		return v.AppendText(dst)
	}
	return v.AppendJSON(dst)
}

// isWord reports whether a text can be written without quotes.
func isWord(text []byte) bool {
	for _, c := range text {
		if c <= ' ' || c == '"' || c == '=' || c == ';' || c == '\\' {
			return false
		}
	}
	return len(text) > 0 && text[0] != '[' && text[0] != '{' && IsVisible(text)
}

// size is the approximate length of the content in bytes.
func (c *Content) size() int {
	n := len(c.Command) + len(c.Raw)
	for i := range c.Attributes.nodes {
		n += len(c.Attributes.nodes[i].name) + len(c.Attributes.nodes[i].data) + 8
	}
	return n
}

// Size returns the length of the event's text in bytes, or the approximate length of its
// Content.
func (e *Event) Size() int {
	if e.Content != nil {
		return e.Content.size()
	}
	return len(e.Message)
}
