// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// A Message is one datagram from the kernel.
type Message struct {
	Data      []byte // valid until the handler returns
	Sender    uint32 // port id of the sending socket; 0 is the kernel
	Group     uint32 // multicast group; 0 if it is not known, and for genltest
	Truncated bool   // the datagram was longer than Data
}

// A Verdict is the result of Classify or ClassifyOther. The constants are in the order of the checks;
// each message has exactly one verdict.
type Verdict uint8

// The verdicts. Those after Notification are refusals.
const (
	Event        Verdict = iota // an event of the family
	Notification                // from nlctrl, about families and groups
	Truncated                   // longer than a receive slot
	Sender                      // not sent by the kernel
	Malformed                   // wrong lengths, or no text
	Family                      // of another family, or of this family before a reload
	Command                     // not the event command
	Version                     // not a supported version
	verdicts
)

var verdictNames = [verdicts]string{"event", "notification", "truncated", "sender", "malformed", "family", "command", "version"}

func (v Verdict) String() string { return verdictNames[v] }

// Refusals returns the verdicts that refuse a message, for counters.
func Refusals() []Verdict {
	return []Verdict{Truncated, Sender, Malformed, Family, Command, Version}
}

// Kernel is the port id of messages that the kernel sends.
const Kernel uint32 = 0

// A Number identifies an event. It is zero if the module does not number its events.
type Number struct{ LoadID, Seq uint64 }

// Classify returns the verdict for a message to the socket of genltest. The argument family is the present id of the
// family, or 0 if it is not registered. The argument sender is the port id that
// multicasts: Kernel, except in a test without the module. The number is that of an
// event. Decode succeeds for each event.
//
// Classify runs for every event. It does not allocate, and reads only the bytes that it
// needs.
func Classify(m *Message, family uint16, sender uint32) (Verdict, Number) {
	if m.Sender != sender && m.Sender != Kernel {
		return Sender, Number{}
	}
	if m.Truncated {
		return Truncated, Number{}
	}
	if len(m.Data) < headersLen || int(binary.NativeEndian.Uint32(m.Data)) != len(m.Data) {
		return Malformed, Number{}
	}
	switch id := m.Family(); {
	case id == controllerID:
		return Notification, Number{}
	case id != family || family == noFamily:
		return Family, Number{}
	case m.Data[nlmsgHeaderLen] != cmdEcho:
		return Command, Number{}
	case m.Data[nlmsgHeaderLen+1] != version:
		return Version, Number{}
	}
	if number, ok := moduleNumber(m.Data); ok {
		return Event, number
	}
	fields, err := parseEvent(m.Data[headersLen:])
	if err != nil {
		return Malformed, Number{}
	}
	return Event, Number{LoadID: fields.LoadID, Seq: fields.KernelSeq}
}

// ClassifyOther returns the verdict for a message to the socket of any other family. Its
// arguments are those of Classify. Every message of the family is an event, even if it is
// truncated or malformed: whether it can be decoded shows at delivery.
func ClassifyOther(m *Message, family uint16, sender uint32) Verdict {
	if m.Sender != sender && m.Sender != Kernel {
		return Sender
	}
	if len(m.Data) < nlmsgHeaderLen {
		return Malformed
	}
	switch id := m.Family(); {
	case id == family && family != noFamily:
		return Event
	case id == controllerID:
		return Notification
	}
	return Family
}

// endBytes is the length of the three numbers that end an event of our module, where
// 64-bit numbers need no padding.
const endBytes = 3 * (attrHeaderLen + 8)

var (
	seqHeader    = wideHeader(attrSeq)
	timeHeader   = wideHeader(attrTime)
	loadIDHeader = wideHeader(attrLoadID)
)

func wideHeader(kind uint16) uint32 {
	var b [attrHeaderLen]byte
	binary.NativeEndian.PutUint16(b[:], attrHeaderLen+8)
	binary.NativeEndian.PutUint16(b[2:], kind)
	return binary.NativeEndian.Uint32(b[:])
}

// moduleNumber reads the number of an event in the form that our module sends: the
// text, then sequence, time and load id. It does not walk over the attributes.
// parseEvent reads other forms.
func moduleNumber(data []byte) (n Number, ok bool) {
	textBytes := len(data) - headersLen - endBytes // with its header and padding
	if textBytes <= attrHeaderLen {
		return n, false
	}
	text, end := data[headersLen:], data[len(data)-endBytes:]
	length := int(binary.NativeEndian.Uint16(text))
	if length <= attrHeaderLen || (length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1) != textBytes ||
		binary.NativeEndian.Uint16(text[2:]) != attrMsg || text[length-1] != 0 ||
		binary.NativeEndian.Uint32(end) != seqHeader || binary.NativeEndian.Uint32(end[12:]) != timeHeader ||
		binary.NativeEndian.Uint32(end[24:]) != loadIDHeader {
		return n, false
	}
	return Number{LoadID: binary.NativeEndian.Uint64(end[28:]), Seq: binary.NativeEndian.Uint64(end[4:])}, true
}

// Family returns the id of the family that sent m. The message must not be malformed.
func (m *Message) Family() uint16 { return binary.NativeEndian.Uint16(m.Data[4:]) }

// Fields are the attributes of an event.
type Fields struct {
	Message    []byte    // part of the decoded data, without the terminating NUL
	KernelTime time.Time // zero if absent
	KernelSeq  uint64    // 0 if absent
	LoadID     uint64    // 0 if absent
}

// Decode decodes a message for which Classify returned Event. It does not allocate;
// Message points into data.
func Decode(data []byte) (Fields, error) {
	if len(data) < headersLen {
		return Fields{}, errShort
	}
	return parseEvent(data[headersLen:])
}

var (
	errShort     = errors.New("genetlink message is shorter than its headers")
	errAttribute = errors.New("attribute length does not fit the message")
	errNoMessage = errors.New("missing text attribute")
	errWidth     = errors.New("attribute is not a 64-bit number")
	errString    = errors.New("text attribute does not end with a NUL")
)

// parseEvent decodes the attributes. It does not use the library's AttributeDecoder,
// which allocates: every event is decoded once per sink.
func parseEvent(b []byte) (f Fields, err error) {
	for found := false; ; {
		if len(b) < attrHeaderLen {
			if len(b) != 0 {
				return Fields{}, errAttribute
			}
			if !found {
				return Fields{}, errNoMessage
			}
			return f, nil
		}
		length := int(binary.NativeEndian.Uint16(b))
		if length < attrHeaderLen || length > len(b) {
			return Fields{}, errAttribute
		}
		kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		if kind == attrMsg {
			found = true
		}
		if err := f.set(kind, b[attrHeaderLen:length]); err != nil {
			return Fields{}, err
		}
		b = b[min((length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1), len(b)):]
	}
}

// set stores one attribute. It skips unknown attributes, because a newer module may
// send more.
func (f *Fields) set(kind uint16, value []byte) error {
	switch kind {
	case attrMsg:
		end := bytes.IndexByte(value, 0)
		if end < 0 {
			return errString
		}
		f.Message = value[:end:end]
	case attrSeq, attrTime, attrLoadID:
		if len(value) != 8 {
			return errWidth
		}
		f.setNumber(kind, binary.NativeEndian.Uint64(value))
	}
	return nil
}

func (f *Fields) setNumber(kind uint16, v uint64) {
	switch kind {
	case attrSeq:
		f.KernelSeq = v
	case attrTime:
		f.KernelTime = time.Unix(0, int64(v))
	case attrLoadID:
		f.LoadID = v
	}
}
