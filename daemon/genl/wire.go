// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// A Message is one datagram as the kernel handed it over.
type Message struct {
	Data      []byte // valid until the handler that was given it returns
	Sender    uint32 // port id of the sending socket; 0 is the kernel
	Truncated bool   // the datagram was longer than Data
}

// A Verdict says whether a message is an event of the family, or why not. The
// order is that of the checks: each message has one verdict.
type Verdict uint8

// The verdicts. The reasons after Notification are refusals.
const (
	Event        Verdict = iota // an event of the family
	Notification                // from nlctrl: families and groups that come and go
	Truncated                   // longer than a receive slot
	Sender                      // not sent by the kernel
	Malformed                   // lengths that do not fit, or no text
	Family                      // another family's, or this family's before a reload
	Command                     // not the command of an event
	Version                     // not the version this daemon knows
	verdicts
)

var verdictNames = [verdicts]string{"event", "notification", "truncated", "sender", "malformed", "family", "command", "version"}

func (v Verdict) String() string { return verdictNames[v] }

// Refusals lists the verdicts that refuse a message, for counters.
func Refusals() []Verdict {
	return []Verdict{Truncated, Sender, Malformed, Family, Command, Version}
}

// Kernel is the port id of what the kernel sends.
const Kernel uint32 = 0

// Number is what a module that numbers its events says of one; zero when it does
// not.
type Number struct{ LoadID, Seq uint64 }

// Classify judges m for a family that has the id family at present, or 0 when it
// is away, and that the port id sender multicasts: Kernel, except in a test
// without the module. The number is that of an event, for which Decode succeeds.
//
// Every event passes here: it does not allocate, and looks at no more than it
// must.
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
	if number, ok := ourNumber(m.Data); ok {
		return Event, number
	}
	fields, err := parseEvent(m.Data[headersLen:])
	if err != nil {
		return Malformed, Number{}
	}
	return Event, Number{LoadID: fields.LoadID, Seq: fields.KernelSeq}
}

// What ends an event of our module, where a 64-bit number needs no padding.
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

// ourNumber reads what our module sends: the text, then sequence, time and load
// id, without a walk over the attributes. Any other order is parseEvent's.
func ourNumber(data []byte) (n Number, ok bool) {
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

// Family returns the id of the family that sent m, which Classify did not find
// malformed.
func (m *Message) Family() uint16 { return binary.NativeEndian.Uint16(m.Data[4:]) }

// Fields is what an event's attributes say.
type Fields struct {
	Message    []byte    // part of the decoded data, without the terminating NUL
	KernelTime time.Time // zero when not given
	KernelSeq  uint64    // 0 when not given
	LoadID     uint64    // 0 when not given
}

// Decode reads a message that Classify found to be an event. It does not
// allocate; Message points into data.
func Decode(data []byte) (Fields, error) {
	if len(data) < headersLen {
		return Fields{}, errShort
	}
	return parseEvent(data[headersLen:])
}

var (
	errShort     = errors.New("genetlink message is shorter than its headers")
	errAttribute = errors.New("attribute length does not fit the message")
	errNoMessage = errors.New("event has no text attribute")
	errWidth     = errors.New("attribute is not a 64-bit number")
	errString    = errors.New("text attribute is not terminated by a NUL")
)

// parseEvent walks the attributes. The library's AttributeDecoder is not used
// here: it allocates, and every event passes through for each sink.
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

// set stores one attribute. Unknown ones are skipped: a newer module may send
// more than this daemon knows.
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
