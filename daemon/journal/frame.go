// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

const (
	frameHeaderLen = 56
	lengthLen      = 4       // before each message
	maxFrameLen    = 4 << 20 // so that a reader's buffer is bounded
	batchType      = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// An identity is what all files of one journal have in common.
type identity struct {
	id   uint64 // names the journal to the world
	mark uint64 // begins each frame; secret, so that no message can contain a frame
}

// A frame is one batch as it lies in a segment.
type frame struct {
	first      uint64 // number of its first message
	index      uint64 // how many messages were journaled before that
	count      uint64
	generation uint64
	time       int64  // ns
	length     int64  // of the whole frame
	payload    []byte // count times: length u32, message
}

// end is the number after the frame's last message.
func (f *frame) end() uint64 { return f.first + f.count }

func (f *frame) received() time.Time { return time.Unix(0, f.time) }

// payloadLen returns the length of what follows the header.
func payloadLen(messages [][]byte) int {
	n := lengthLen * len(messages)
	for _, m := range messages {
		n += len(m)
	}
	return n
}

// appendFrame appends the frame that holds messages; f gives all but the
// lengths and the payload.
func appendFrame(b []byte, mark uint64, f *frame, messages [][]byte) []byte {
	le := binary.LittleEndian
	start := len(b)
	b = le.AppendUint64(b, mark)
	b = le.AppendUint32(b, 0) // the checksum's place
	b = le.AppendUint32(b, uint32(payloadLen(messages)))
	b = le.AppendUint32(b, uint32(len(messages)))
	b = le.AppendUint32(b, batchType)
	b = le.AppendUint64(b, f.first)
	b = le.AppendUint64(b, f.index)
	b = le.AppendUint64(b, f.generation)
	b = le.AppendUint64(b, uint64(f.time))
	for _, m := range messages {
		b = le.AppendUint32(b, uint32(len(m)))
		b = append(b, m...)
	}
	le.PutUint32(b[start+8:], crc32.Checksum(b[start+12:], castagnoli))
	return b
}

// frameLen returns the length of the frame that b seems to begin with. ok is
// false when no frame begins like this.
func frameLen(b []byte, mark uint64) (length int64, ok bool) {
	le := binary.LittleEndian
	if len(b) < frameHeaderLen || le.Uint64(b) != mark {
		return 0, false
	}
	length = frameHeaderLen + int64(le.Uint32(b[12:]))
	return length, length <= maxFrameLen
}

// parseFrame takes apart b, which has the length that frameLen told.
func parseFrame(b []byte, mark uint64) (f frame, ok bool) {
	le := binary.LittleEndian
	length, ok := frameLen(b, mark)
	if !ok || length != int64(len(b)) || le.Uint32(b[8:]) != crc32.Checksum(b[12:], castagnoli) || le.Uint32(b[20:]) != batchType {
		return frame{}, false
	}
	f = frame{
		first:      le.Uint64(b[24:]),
		index:      le.Uint64(b[32:]),
		count:      uint64(le.Uint32(b[16:])),
		generation: le.Uint64(b[40:]),
		time:       int64(le.Uint64(b[48:])),
		length:     length,
		payload:    b[frameHeaderLen:],
	}
	if f.count == 0 || f.end() < f.first || !wellFormed(f.payload, f.count) {
		return frame{}, false
	}
	return f, true
}

// wellFormed reports whether payload is count messages and nothing else.
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

// message splits the first message off a well-formed payload.
func message(payload []byte) (m, rest []byte) {
	n := lengthLen + int(binary.LittleEndian.Uint32(payload))
	return payload[lengthLen:n:n], payload[n:]
}
