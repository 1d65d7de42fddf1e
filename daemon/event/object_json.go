// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// maxJSONNumber is the largest number that every reader of JSON can hold exactly. Many
// readers, JavaScript for example, store numbers as floats of 53 bits.
const maxJSONNumber = 1 << 53

// Base64Suffix ends the name of the field that follows a text that is not UTF-8, and
// contains its bytes.
const Base64Suffix = "_base64"

// AppendJSON appends v as JSON and returns the extended buffer. Numbers above 2^53 in
// magnitude are strings. Bytes are hexadecimal digits, or as their Format requires.
// Texts are escaped as AppendJSONText does. If a field is not valid UTF-8, a second field
// follows, with the suffix "_base64" in its name.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.Kind() {
	case ObjectValue:
		return v.appendObject(dst)
	case ListValue:
		return v.appendList(dst, Value.AppendJSON)
	case TextValue:
		dst = AppendJSONText(append(dst, '"'), v.Bytes())
		return append(dst, '"')
	case BytesValue:
		dst = v.AppendText(append(dst, '"'))
		return append(dst, '"')
	case UintValue, IntValue:
		if v.isLarge() {
			dst = v.AppendText(append(dst, '"'))
			return append(dst, '"')
		}
	case NoValue:
		return append(dst, "null"...)
	}
	return v.AppendText(dst)
}

// isLarge reports whether a number needs quotes.
func (v Value) isLarge() bool {
	if n := v.Int(); v.Kind() == IntValue {
		return n > maxJSONNumber || n < -maxJSONNumber
	}
	return v.Uint() > maxJSONNumber
}

func (v Value) appendObject(dst []byte) []byte {
	dst = append(dst, '{')
	begin := len(dst)
	for name, value := range v.Fields() {
		if len(dst) > begin {
			dst = append(dst, ',')
		}
		dst = AppendJSONText(append(dst, '"'), name)
		dst = value.AppendJSON(append(dst, '"', ':'))
		if !value.isUTF8() {
			dst = AppendJSONText(append(dst, ',', '"'), name)
			dst = append(append(dst, Base64Suffix...), '"', ':')
			dst = value.appendBase64(dst)
		}
	}
	return append(dst, '}')
}

func (v Value) appendList(dst []byte, appendItem func(Value, []byte) []byte) []byte {
	dst = append(dst, '[')
	begin := len(dst)
	for item := range v.Items() {
		if len(dst) > begin {
			dst = append(dst, ',')
		}
		dst = appendItem(item, dst)
	}
	return append(dst, ']')
}

// isUTF8 returns false for a text that is not UTF-8, and for a list that contains one.
func (v Value) isUTF8() bool {
	switch v.Kind() {
	case TextValue:
		return utf8.Valid(v.Bytes())
	case ListValue:
		for item := range v.Items() {
			if !item.isUTF8() {
				return false
			}
		}
	}
	return true
}

// appendBase64 appends the bytes of a text, or of each text of a list. Other entries of
// the list are null.
func (v Value) appendBase64(dst []byte) []byte {
	switch v.Kind() {
	case TextValue:
		dst = base64.StdEncoding.AppendEncode(append(dst, '"'), v.Bytes())
		return append(dst, '"')
	case ListValue:
		return v.appendList(dst, Value.appendBase64)
	}
	return append(dst, "null"...)
}

// appendBase64Text is appendBase64 without the quotes of a text.
func (v Value) appendBase64Text(dst []byte) []byte {
	if v.Kind() == TextValue {
		return base64.StdEncoding.AppendEncode(dst, v.Bytes())
	}
	return v.appendBase64(dst)
}

// AppendText appends v without quotes: a text unchanged, a number in decimal digits, bytes
// in their Format. Objects and lists are appended as JSON.
func (v Value) AppendText(dst []byte) []byte {
	switch v.Kind() {
	case ObjectValue, ListValue:
		return v.AppendJSON(dst)
	case TextValue:
		return append(dst, v.Bytes()...)
	case BytesValue:
		return v.nodes[0].format.append(dst, v.Bytes())
	case UintValue:
		return strconv.AppendUint(dst, v.Uint(), 10)
	case IntValue:
		return strconv.AppendInt(dst, v.Int(), 10)
	case BoolValue:
		return strconv.AppendBool(dst, v.Bool())
	}
	return dst
}
