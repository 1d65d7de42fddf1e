// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

const testFamily = 34

// attr encodes one attribute with its padding.
func attr(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(attrHeaderLen+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	for len(b)%unix.NLA_ALIGNTO != 0 {
		b = append(b, 0)
	}
	return b
}

func text(s string) []byte { return attr(attrMsg, append([]byte(s), 0)) }

func number(kind uint16, v uint64) []byte {
	return attr(kind, binary.NativeEndian.AppendUint64(nil, v))
}

// packet encodes one complete message.
func packet(family uint16, cmd, ver uint8, attrs ...[]byte) []byte {
	b := make([]byte, headersLen)
	binary.NativeEndian.PutUint16(b[4:], family)
	b[nlmsgHeaderLen], b[nlmsgHeaderLen+1] = cmd, ver
	for _, a := range attrs {
		b = append(b, a...)
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	return b
}

func TestClassify(t *testing.T) {
	good := packet(testFamily, cmdEcho, version, text("hello"))
	with := func(change func(b []byte)) []byte {
		b := bytes.Clone(good)
		change(b)
		return b
	}
	tests := map[string]struct {
		m      Message
		family uint16
		want   Verdict
	}{
		"event":                           {Message{Data: good}, testFamily, Event},
		"event with an unknown attribute": {Message{Data: packet(testFamily, cmdEcho, version, text("x"), attr(99, []byte("new")))}, testFamily, Event},
		"event with every attribute":      {Message{Data: packet(testFamily, cmdEcho, version, text("x"), number(attrSeq, 1), number(attrTime, 2), number(attrLoadID, 3))}, testFamily, Event},
		"notification":                    {Message{Data: packet(controllerID, unix.CTRL_CMD_NEWFAMILY, 2)}, testFamily, Notification},
		"forged event":                    {Message{Data: good, Sender: 4711}, testFamily, Sender},
		"forged notification":             {Message{Data: packet(controllerID, unix.CTRL_CMD_DELFAMILY, 2), Sender: 4711}, testFamily, Sender},
		"cut by a short slot":             {Message{Data: good, Truncated: true}, testFamily, Truncated},
		"empty":                           {Message{}, testFamily, Malformed},
		"half a header":                   {Message{Data: good[:headersLen-1]}, testFamily, Malformed},
		"length beyond the data":          {Message{Data: with(func(b []byte) { b[0]++ })}, testFamily, Malformed},
		"length short of the data":        {Message{Data: with(func(b []byte) { b[0]-- })}, testFamily, Malformed},
		"another family":                  {Message{Data: packet(testFamily+1, cmdEcho, version, text("x"))}, testFamily, Family},
		"any family while ours is away":   {Message{Data: good}, noFamily, Family},
		"type 0 while ours is away":       {Message{Data: packet(0, cmdEcho, version, text("x"))}, noFamily, Family},
		"another command":                 {Message{Data: packet(testFamily, 2, version, text("x"))}, testFamily, Command},
		"another version":                 {Message{Data: packet(testFamily, cmdEcho, 2, text("x"))}, testFamily, Version},
		"no text":                         {Message{Data: packet(testFamily, cmdEcho, version)}, testFamily, Malformed},
		"text without NUL":                {Message{Data: packet(testFamily, cmdEcho, version, attr(attrMsg, []byte("x")))}, testFamily, Malformed},
		"attribute longer than the rest":  {Message{Data: packet(testFamily, cmdEcho, version, []byte{40, 0, 1, 0, 'x', 0})}, testFamily, Malformed},
		"attribute shorter than itself":   {Message{Data: packet(testFamily, cmdEcho, version, []byte{3, 0, 1, 0})}, testFamily, Malformed},
		"three stray bytes":               {Message{Data: packet(testFamily, cmdEcho, version, text("abc"), []byte{1, 2, 3})}, testFamily, Malformed},
		"sequence of four bytes":          {Message{Data: packet(testFamily, cmdEcho, version, text("x"), attr(attrSeq, []byte{1, 2, 3, 4}))}, testFamily, Malformed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got, _ := Classify(&test.m, test.family, Kernel); got != test.want {
				t.Errorf("verdict %v, want %v", got, test.want)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	long := strings.Repeat("x", 4096)
	tests := map[string]struct {
		data []byte
		want Fields
	}{
		"text only":          {packet(testFamily, cmdEcho, version, text("hello")), Fields{Message: []byte("hello")}},
		"empty text":         {packet(testFamily, cmdEcho, version, text("")), Fields{Message: []byte{}}},
		"longest of any":     {packet(testFamily, cmdEcho, version, text(long)), Fields{Message: []byte(long)}},
		"ends at the NUL":    {packet(testFamily, cmdEcho, version, attr(attrMsg, []byte("a\x00b\x00"))), Fields{Message: []byte("a")}},
		"not UTF-8":          {packet(testFamily, cmdEcho, version, text("\xff\x1b[31m")), Fields{Message: []byte("\xff\x1b[31m")}},
		"everything, padded": {packet(testFamily, cmdEcho, version, text("hi"), attr(2, nil), number(attrSeq, 7), number(attrTime, 1e9), number(attrLoadID, 9)), Fields{Message: []byte("hi"), KernelSeq: 7, KernelTime: time.Unix(1, 0), LoadID: 9}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(test.data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClassifyAndDecodeAllocateNothing(t *testing.T) {
	m := Message{Data: packet(testFamily, cmdEcho, version, text("hello"), number(attrSeq, 7))}
	if n := testing.AllocsPerRun(100, func() {
		if v, _ := Classify(&m, testFamily, Kernel); v != Event {
			t.Fatal("not an event")
		}
		if _, err := Decode(m.Data); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per message", n)
	}
}

func FuzzClassify(f *testing.F) {
	f.Add(packet(testFamily, cmdEcho, version, text("hello"), number(attrSeq, 7)))
	f.Add(packet(testFamily, cmdEcho, version, attr(attrMsg, nil)))
	f.Add(packet(testFamily, cmdEcho, version, text("hello"), number(attrSeq, 7), number(attrTime, 8), number(attrLoadID, 9)))
	f.Add(packet(testFamily, cmdEcho, version, text(""), number(attrSeq, 7), number(attrLoadID, 9), number(attrTime, 8)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		verdict, number := Classify(&Message{Data: data}, testFamily, Kernel)
		fields, err := Decode(data)
		if verdict == Event && (err != nil || number != Number{fields.LoadID, fields.KernelSeq}) {
			t.Errorf("an event with number %+v, decoded it is %+v, %v", number, fields, err)
		}
		if verdict == Malformed && err == nil && len(data) >= headersLen && int(binary.NativeEndian.Uint32(data)) == len(data) {
			t.Errorf("malformed, and decoded it is %+v", fields)
		}
		if bytes.IndexByte(fields.Message, 0) >= 0 {
			t.Errorf("text holds a NUL: %q", fields.Message)
		}
	})
}
