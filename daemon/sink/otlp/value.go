// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/genltestd/genltestd/daemon/event"
)

// Attributes are appended to the message whose field with attributes has this number: the
// resource, or a record.
type attributes protowire.Number

func (a attributes) begin(dst []byte, prefix, name string) (_ []byte, key, value int) {
	dst, key = begin(dst, protowire.Number(a))
	dst, value = begin(dst, keyValueKey)
	dst = end(event.AppendVisible(event.AppendVisible(dst, prefix), name), value)
	dst, value = begin(dst, keyValueValue)
	return dst, key, value
}

// text appends an attribute, unless the text is empty.
func (a attributes) text(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	dst, key, value := a.begin(dst, "", name)
	return end(end(appendText(dst, valueString, text), value), key)
}

// exact appends an attribute with a text, or with its bytes if it is not UTF-8.
func (a attributes) exact(dst []byte, prefix, name string, text []byte) []byte {
	dst, key, value := a.begin(dst, prefix, name)
	return end(end(appendExact(dst, text), value), key)
}

func (a attributes) uint(dst []byte, name string, n uint64) []byte {
	dst, key, value := a.begin(dst, "", name)
	return end(end(appendUint(dst, n), value), key)
}

// optionalUint appends an attribute, unless n is 0.
func (a attributes) optionalUint(dst []byte, name string, n uint64) []byte {
	if n == 0 {
		return dst
	}
	return a.uint(dst, name, n)
}

func (a attributes) object(dst []byte, name string, o event.Object) []byte {
	dst, key, value := a.begin(dst, "", name)
	return end(end(appendValue(dst, o.Value(), 0), value), key)
}

// appendValue appends the value of an AnyValue. Objects and lists at a depth that decoders
// may reject are JSON.
func appendValue(dst []byte, v event.Value, depth int) []byte {
	switch v.Kind() {
	case event.ObjectValue, event.ListValue:
		if depth == maxDepth {
			dst, start := begin(dst, valueString)
			return end(v.AppendJSON(dst), start)
		}
		return appendNested(dst, v, depth)
	case event.TextValue:
		return appendExact(dst, v.Bytes())
	case event.BytesValue:
		dst, start := begin(dst, valueString)
		return end(v.AppendText(dst), start)
	case event.UintValue:
		return appendUint(dst, v.Uint())
	case event.IntValue:
		return appendInt(dst, v.Int())
	case event.BoolValue:
		return appendBool(dst, v.Bool())
	}
	return dst // an AnyValue without a value
}

func appendNested(dst []byte, v event.Value, depth int) []byte {
	if v.Kind() == event.ListValue {
		dst, list := begin(dst, valueArray)
		for item := range v.Items() {
			var start int
			dst, start = begin(dst, listValues)
			dst = end(appendValue(dst, item, depth+1), start)
		}
		return end(dst, list)
	}
	dst, list := begin(dst, valueMap)
	for name, field := range v.Fields() {
		var key, value int
		dst, key, value = attributes(listValues).begin(dst, "", name)
		dst = end(end(appendValue(dst, field, depth+1), value), key)
	}
	return end(dst, list)
}
