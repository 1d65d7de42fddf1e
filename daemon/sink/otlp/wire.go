// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/genltestd/genltestd/daemon/event"
)

// The numbers of the fields of the messages of OTLP. The generated types would need three
// allocations for each attribute; tests decode the output of this package with them.
const (
	requestResourceLogs = 1

	resourceLogsResource  = 1
	resourceLogsScopeLogs = 2
	resourceAttributes    = 1

	scopeLogsScope   = 1
	scopeLogsRecords = 2
	scopeName        = 1
	scopeVersion     = 2

	recordTime         = 1
	recordSeverity     = 2
	recordSeverityText = 3
	recordBody         = 5
	recordAttributes   = 6
	recordObservedTime = 11
	recordEventName    = 12

	keyValueKey   = 1
	keyValueValue = 2
	listValues    = 1 // of an ArrayValue and of a KeyValueList

	valueString = 1
	valueBool   = 2
	valueInt    = 3
	valueArray  = 5
	valueMap    = 6
	valueBytes  = 7
)

// maxDepth limits the depth of attributes, of which each level has up to three messages.
const maxDepth = 16

// begin begins a nested message. The caller appends its fields to dst, and then calls end
// with start.
func begin(dst []byte, field protowire.Number) (_ []byte, start int) {
	dst = append(protowire.AppendTag(dst, field, protowire.BytesType), 0)
	return dst, len(dst)
}

// end writes the length of the message whose fields begin at start. The length of a short
// message fits into the byte that begin has left; otherwise the fields are moved.
func end(dst []byte, start int) []byte {
	n := len(dst) - start
	if more := protowire.SizeVarint(uint64(n)) - 1; more > 0 {
		var room [10]byte // of the longest varint
		dst = append(dst, room[:more]...)
		copy(dst[start+more:], dst[start:start+n])
	}
	protowire.AppendVarint(dst[:start-1], uint64(n))
	return dst
}

// appendText appends a field with a text. A string of protobuf is UTF-8, so other bytes are
// escaped.
func appendText[T string | []byte](dst []byte, field protowire.Number, text T) []byte {
	if !utf8.ValidString(string(text)) {
		dst, start := begin(dst, field)
		return end(event.AppendVisible(dst, text), start)
	}
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(len(text)))
	return append(dst, text...)
}

// appendExact appends the value of an AnyValue: a string, or bytes if the text is not UTF-8.
func appendExact(dst, text []byte) []byte {
	if utf8.Valid(text) {
		return appendText(dst, valueString, text)
	}
	return protowire.AppendBytes(protowire.AppendTag(dst, valueBytes, protowire.BytesType), text)
}

func appendInt(dst []byte, n int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(dst, valueInt, protowire.VarintType), uint64(n))
}

// appendUint appends the value of an AnyValue, whose numbers are signed: a larger one is a string
// of decimal digits.
func appendUint(dst []byte, n uint64) []byte {
	if n > math.MaxInt64 {
		var digits [20]byte
		return appendText(dst, valueString, strconv.AppendUint(digits[:0], n, 10))
	}
	return appendInt(dst, int64(n))
}

func appendBool(dst []byte, b bool) []byte {
	return protowire.AppendVarint(protowire.AppendTag(dst, valueBool, protowire.VarintType), protowire.EncodeBool(b))
}

// appendTime appends a time in nanoseconds since 1970, unless it is not known.
func appendTime(dst []byte, field protowire.Number, t time.Time) []byte {
	if t.IsZero() || t.Before(time.Unix(0, 0)) || t.Unix() >= math.MaxInt64/int64(time.Second) {
		return dst
	}
	return protowire.AppendFixed64(protowire.AppendTag(dst, field, protowire.Fixed64Type), uint64(t.UnixNano()))
}
