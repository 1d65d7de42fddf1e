// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const mark = 0x0123456789abcdef

// seal writes the checksum of a unit whose first four bytes are its checksum.
func seal(unit []byte) {
	binary.LittleEndian.PutUint32(unit, crc32.Checksum(unit[4:], castagnoli))
}

func testFrame(first uint64, texts ...string) []byte {
	var messages [][]byte
	for _, text := range texts {
		messages = append(messages, []byte(text))
	}
	return AppendFrame(nil, mark, &Frame{First: first, Index: first - 1, Generation: 7, Time: -8}, messages)
}

func messagesOf(f *Frame) (texts []string) {
	for m, rest := []byte(nil), f.Payload; len(rest) > 0; {
		m, rest = Message(rest)
		texts = append(texts, string(m))
	}
	return texts
}

func TestFrameRoundTrip(t *testing.T) {
	for name, texts := range map[string][]string{
		"one message": {"hello"}, "an empty message": {""}, "several messages": {"a", "", "ccc", "\x00\xff"},
		"a message that contains the mark": {string(binary.LittleEndian.AppendUint64(nil, mark))},
	} {
		t.Run(name, func(t *testing.T) {
			b := testFrame(41, texts...)
			if length, ok := frameLen(append(b, "next"...), mark); !ok || length != int64(len(b)) {
				t.Errorf("length %d, %v, want %d", length, ok, len(b))
			}
			f, ok := parseFrame(b, mark)
			if !ok {
				t.Fatal("not accepted")
			}
			if diff := cmp.Diff(texts, messagesOf(&f)); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			f.Payload = nil
			count := uint64(len(texts))
			want := Frame{First: 41, Index: 40, Count: count, Generation: 7, Time: -8, Length: int64(len(b))}
			if diff := cmp.Diff(want, f); diff != "" {
				t.Errorf("frame (-want +got):\n%s", diff)
			}
			if f.End() != 41+count || f.Received().UnixNano() != -8 {
				t.Errorf("ends before %d, received at %v", f.End(), f.Received())
			}
		})
	}
}

func TestAppendFrameKeepsPrecedingBytes(t *testing.T) {
	b := AppendFrame([]byte("before"), mark, &Frame{First: 1}, [][]byte{[]byte("x")})
	if !bytes.HasPrefix(b, []byte("before")) {
		t.Fatalf("got %q", b)
	}
	if _, ok := parseFrame(b[len("before"):], mark); !ok {
		t.Error("the checksum covers bytes before the frame")
	}
}

func TestLongestFrame(t *testing.T) {
	longest := bytes.Repeat([]byte{'x'}, MaxFrameLen-FrameHeaderLen-PayloadLen([][]byte{nil}))
	b := AppendFrame(nil, mark, &Frame{First: 1}, [][]byte{longest})
	if f, ok := parseFrame(b, mark); !ok || f.Length != MaxFrameLen {
		t.Errorf("a frame of %d bytes: %v, length %d", len(b), ok, f.Length)
	}
	b = AppendFrame(nil, mark, &Frame{First: 1}, [][]byte{append(longest, 'x')})
	if _, ok := frameLen(b, mark); ok {
		t.Error("a frame of one byte more is accepted")
	}
}

func TestDamagedFrameIsRejected(t *testing.T) {
	good := testFrame(1, "hello", "", "world")
	for i := range good {
		if _, ok := parseFrame(good[:i], mark); ok {
			t.Errorf("a frame of which %d bytes are left is accepted", i)
		}
		for bit := range 8 {
			b := bytes.Clone(good)
			b[i] ^= 1 << bit
			if _, ok := parseFrame(b, mark); ok {
				t.Errorf("bit %d of byte %d is wrong, and the frame is accepted", bit, i)
			}
		}
	}
	if _, ok := parseFrame(append(bytes.Clone(good), 0), mark); ok {
		t.Error("a frame with a byte after it is accepted")
	}
}

// TestFrameWithInvalidFieldIsRejected: the checksum is valid and a field is not.
func TestFrameWithInvalidFieldIsRejected(t *testing.T) {
	le := binary.LittleEndian
	for name, change := range map[string]func(b []byte){
		"no message":                     func(b []byte) { le.PutUint32(b[16:], 0) },
		"more messages than the payload": func(b []byte) { le.PutUint32(b[16:], 4) },
		"fewer messages":                 func(b []byte) { le.PutUint32(b[16:], 2) },
		"the most messages":              func(b []byte) { le.PutUint32(b[16:], math.MaxUint32) },
		"another type":                   func(b []byte) { le.PutUint32(b[20:], batchType+1) },
		"numbers beyond the last":        func(b []byte) { le.PutUint64(b[24:], math.MaxUint64-1) },
		"a message longer than the rest": func(b []byte) { le.PutUint32(b[FrameHeaderLen:], 100) },
		"a message of 4 GiB":             func(b []byte) { le.PutUint32(b[FrameHeaderLen:], math.MaxUint32) },
		"a message shorter than written": func(b []byte) { le.PutUint32(b[FrameHeaderLen:], 4) },
		"a payload longer than the rest": func(b []byte) { le.PutUint32(b[12:], uint32(len(b))) },
		"a payload of 4 GiB":             func(b []byte) { le.PutUint32(b[12:], math.MaxUint32) },
		"no payload":                     func(b []byte) { le.PutUint32(b[12:], 0) },
	} {
		t.Run(name, func(t *testing.T) {
			b := testFrame(1, "hello", "", "world")
			change(b)
			seal(b[8:])
			if f, ok := parseFrame(b, mark); ok {
				t.Errorf("accepted as %+v", f)
			}
		})
	}
	if _, ok := parseFrame(testFrame(1), mark); ok {
		t.Error("a frame without messages is accepted")
	}
	if _, ok := parseFrame(testFrame(1, "hello"), mark+1); ok {
		t.Error("the frame of another journal is accepted")
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(testFrame(1, "hello"))
	f.Add(testFrame(math.MaxUint64, "", "x"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= FrameHeaderLen { // write a valid mark and checksum
			b = bytes.Clone(b)
			binary.LittleEndian.PutUint64(b, mark)
			seal(b[8:])
		}
		frame, ok := parseFrame(b, mark)
		if !ok {
			return
		}
		var messages [][]byte
		for rest := frame.Payload; len(rest) > 0; {
			var m []byte
			m, rest = Message(rest)
			messages = append(messages, m)
		}
		if uint64(len(messages)) != frame.Count || frame.End() <= frame.First {
			t.Fatalf("%d messages, frame %+v", len(messages), frame)
		}
		if again := AppendFrame(nil, mark, &frame, messages); !bytes.Equal(again, b) {
			t.Errorf("%x is written as %x", b, again)
		}
	})
}
