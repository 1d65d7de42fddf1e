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

	"github.com/genltestd/genltestd/internal/kernelmsg"
)

const testFamily = 34

// event encodes an event of the family.
func event(attrs ...[]byte) []byte { return kernelmsg.EventOf(testFamily, attrs...) }

func TestClassify(t *testing.T) {
	good := event(kernelmsg.Text("hello"))
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
		"event": {Message{Data: good}, testFamily, Event},
		"event with an unknown attribute": {
			Message{Data: event(kernelmsg.Text("x"), kernelmsg.Attr(99, []byte("new")))}, testFamily, Event,
		},
		"event with every attribute": {
			Message{Data: event(kernelmsg.Text("x"), kernelmsg.Seq(1), kernelmsg.Time(2), kernelmsg.LoadID(3))}, testFamily, Event,
		},
		"notification": {
			Message{Data: kernelmsg.Message(controllerID, unix.CTRL_CMD_NEWFAMILY, 2)}, testFamily, Notification,
		},
		"forged event": {Message{Data: good, Sender: 4711}, testFamily, Sender},
		"forged notification": {
			Message{Data: kernelmsg.Message(controllerID, unix.CTRL_CMD_DELFAMILY, 2), Sender: 4711}, testFamily, Sender,
		},
		"cut by a short slot":      {Message{Data: good, Truncated: true}, testFamily, Truncated},
		"empty":                    {Message{}, testFamily, Malformed},
		"half a header":            {Message{Data: good[:headersLen-1]}, testFamily, Malformed},
		"length beyond the data":   {Message{Data: with(func(b []byte) { b[0]++ })}, testFamily, Malformed},
		"length short of the data": {Message{Data: with(func(b []byte) { b[0]-- })}, testFamily, Malformed},
		"another family": {
			Message{Data: kernelmsg.Message(testFamily+1, cmdEcho, version, kernelmsg.Text("x"))}, testFamily, Family,
		},
		"any family while ours is away": {Message{Data: good}, noFamily, Family},
		"type 0 while ours is away": {
			Message{Data: kernelmsg.Message(0, cmdEcho, version, kernelmsg.Text("x"))}, noFamily, Family,
		},
		"another command": {
			Message{Data: kernelmsg.Message(testFamily, 2, version, kernelmsg.Text("x"))}, testFamily, Command,
		},
		"another version": {
			Message{Data: kernelmsg.Message(testFamily, cmdEcho, 2, kernelmsg.Text("x"))}, testFamily, Version,
		},
		"no text":                        {Message{Data: event()}, testFamily, Malformed},
		"text without NUL":               {Message{Data: event(kernelmsg.Attr(attrMsg, []byte("x")))}, testFamily, Malformed},
		"attribute longer than the rest": {Message{Data: event([]byte{40, 0, 1, 0, 'x', 0})}, testFamily, Malformed},
		"attribute shorter than itself":  {Message{Data: event([]byte{3, 0, 1, 0})}, testFamily, Malformed},
		"three stray bytes":              {Message{Data: event(kernelmsg.Text("abc"), []byte{1, 2, 3})}, testFamily, Malformed},
		"sequence of four bytes": {
			Message{Data: event(kernelmsg.Text("x"), kernelmsg.Attr(attrSeq, []byte{1, 2, 3, 4}))}, testFamily, Malformed,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got, _ := Classify(&test.m, test.family, Kernel); got != test.want {
				t.Errorf("verdict %v, want %v", got, test.want)
			}
		})
	}
}

// TestClassifyOther: every message of a family whose form is not known is an event.
func TestClassifyOther(t *testing.T) {
	good := event()
	notification := kernelmsg.Message(controllerID, unix.CTRL_CMD_NEWFAMILY, 2)
	for name, test := range map[string]struct {
		m      Message
		family uint16
		want   Verdict
	}{
		"event":                         {Message{Data: good}, testFamily, Event},
		"cut by a short slot":           {Message{Data: good, Truncated: true}, testFamily, Event},
		"the first header only":         {Message{Data: good[:nlmsgHeaderLen]}, testFamily, Event},
		"any command and version":       {Message{Data: kernelmsg.Message(testFamily, 200, 0)}, testFamily, Event},
		"half a header":                 {Message{Data: good[:nlmsgHeaderLen-1]}, testFamily, Malformed},
		"empty":                         {Message{}, testFamily, Malformed},
		"forged event":                  {Message{Data: good, Sender: 4711}, testFamily, Sender},
		"another family":                {Message{Data: kernelmsg.Message(testFamily+1, 1, 1)}, testFamily, Family},
		"any family while ours is away": {Message{Data: good}, noFamily, Family},
		"type 0 while ours is away":     {Message{Data: kernelmsg.Message(0, 1, 1)}, noFamily, Family},
		"notification":                  {Message{Data: notification}, testFamily, Notification},
		"notification of nlctrl":        {Message{Data: notification}, controllerID, Event},
	} {
		if got := ClassifyOther(&test.m, test.family, Kernel); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestDecode(t *testing.T) {
	long := strings.Repeat("x", 4096)
	tests := map[string]struct {
		data []byte
		want Fields
	}{
		"text only":       {event(kernelmsg.Text("hello")), Fields{Message: []byte("hello")}},
		"empty text":      {event(kernelmsg.Text("")), Fields{Message: []byte{}}},
		"longest of any":  {event(kernelmsg.Text(long)), Fields{Message: []byte(long)}},
		"ends at the NUL": {event(kernelmsg.Attr(attrMsg, []byte("a\x00b\x00"))), Fields{Message: []byte("a")}},
		"not UTF-8":       {event(kernelmsg.Text("\xff\x1b[31m")), Fields{Message: []byte("\xff\x1b[31m")}},
		"everything, padded": {
			event(kernelmsg.Text("hi"), kernelmsg.Attr(2, nil), kernelmsg.Seq(7), kernelmsg.Time(1e9), kernelmsg.LoadID(9)),
			Fields{Message: []byte("hi"), KernelSeq: 7, KernelTime: time.Unix(1, 0), LoadID: 9},
		},
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

func TestClassifyAndDecodeDoNotAllocate(t *testing.T) {
	m := Message{Data: event(kernelmsg.Text("hello"), kernelmsg.Seq(7))}
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
	f.Add(event(kernelmsg.Text("hello"), kernelmsg.Seq(7)))
	f.Add(event(kernelmsg.Attr(attrMsg, nil)))
	f.Add(event(kernelmsg.Text("hello"), kernelmsg.Seq(7), kernelmsg.Time(8), kernelmsg.LoadID(9)))
	f.Add(event(kernelmsg.Text(""), kernelmsg.Seq(7), kernelmsg.LoadID(9), kernelmsg.Time(8)))
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
