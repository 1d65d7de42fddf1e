// SPDX-License-Identifier: Apache-2.0

// Package segment reads and writes the segments of a journal: a header, followed by
// frames without gaps. The format is described in package journal.
package segment

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

const (
	// FrameHeaderLen is the length of a frame without its payload, in bytes.
	FrameHeaderLen = 56
	// MaxFrameLen is the maximum length of a frame, in bytes. It bounds the buffer of a reader.
	MaxFrameLen = 4 << 20

	lengthLen = 4 // of the length before each message
	batchType = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// An Identity is common to all files of a journal.
type Identity struct {
	ID   uint64 // unique among all journals
	Mark uint64 // first word of each frame; random and secret, so a message cannot contain it
}

// A Frame is one batch.
type Frame struct {
	First      uint64 // number of its first message
	Index      uint64 // number of messages that were journaled before its first message
	Count      uint64
	Generation uint64
	Time       int64  // of receipt, nanoseconds since 1970
	Length     int64  // of the whole frame, in bytes
	Payload    []byte // Count messages, each as its length u32 and its bytes
}

// End returns the number after the frame's last message.
func (f *Frame) End() uint64 { return f.First + f.Count }

// Received returns the time of receipt.
func (f *Frame) Received() time.Time { return time.Unix(0, f.Time) }

// PayloadLen returns the length of the payload that contains messages, in bytes.
func PayloadLen(messages [][]byte) int {
	n := lengthLen * len(messages)
	for _, m := range messages {
		n += len(m)
	}
	return n
}

// AppendFrame appends an encoded frame to b. The length and the payload are those of
// messages, all else is that of f. The frame must not be longer than MaxFrameLen.
func AppendFrame(b []byte, mark uint64, f *Frame, messages [][]byte) []byte {
	le := binary.LittleEndian
	start := len(b)
	b = le.AppendUint64(b, mark)
	b = le.AppendUint32(b, 0) // the checksum, see below
	b = le.AppendUint32(b, uint32(PayloadLen(messages)))
	b = le.AppendUint32(b, uint32(len(messages)))
	b = le.AppendUint32(b, batchType)
	b = le.AppendUint64(b, f.First)
	b = le.AppendUint64(b, f.Index)
	b = le.AppendUint64(b, f.Generation)
	b = le.AppendUint64(b, uint64(f.Time))
	for _, m := range messages {
		b = le.AppendUint32(b, uint32(len(m)))
		b = append(b, m...)
	}
	le.PutUint32(b[start+8:], crc32.Checksum(b[start+12:], castagnoli))
	return b
}

// frameLen returns the length of the frame that b begins with, by its header. ok is
// false if b does not begin with the header of a frame.
func frameLen(b []byte, mark uint64) (length int64, ok bool) {
	le := binary.LittleEndian
	if len(b) < FrameHeaderLen || le.Uint64(b) != mark {
		return 0, false
	}
	length = FrameHeaderLen + int64(le.Uint32(b[12:]))
	return length, length <= MaxFrameLen
}

// parseFrame decodes b, whose length is that of frameLen.
func parseFrame(b []byte, mark uint64) (f Frame, ok bool) {
	le := binary.LittleEndian
	length, ok := frameLen(b, mark)
	if !ok || length != int64(len(b)) || le.Uint32(b[8:]) != crc32.Checksum(b[12:], castagnoli) || le.Uint32(b[20:]) != batchType {
		return Frame{}, false
	}
	f = Frame{
		First:      le.Uint64(b[24:]),
		Index:      le.Uint64(b[32:]),
		Count:      uint64(le.Uint32(b[16:])),
		Generation: le.Uint64(b[40:]),
		Time:       int64(le.Uint64(b[48:])),
		Length:     length,
		Payload:    b[FrameHeaderLen:],
	}
	if f.Count == 0 || f.End() < f.First || !wellFormed(f.Payload, f.Count) {
		return Frame{}, false
	}
	return f, true
}

// wellFormed reports whether payload consists of exactly count messages.
func wellFormed(payload []byte, count uint64) bool {
	for ; count > 0; count-- {
		if len(payload) < lengthLen {
			return false
		}
		n := uint64(binary.LittleEndian.Uint32(payload)) + lengthLen
		if n > uint64(len(payload)) {
			return false
		}
		payload = payload[n:]
	}
	return len(payload) == 0
}

// Message returns the first message of a well-formed payload, and the rest.
func Message(payload []byte) (m, rest []byte) {
	n := lengthLen + int(binary.LittleEndian.Uint32(payload))
	return payload[lengthLen:n:n], payload[n:]
}
