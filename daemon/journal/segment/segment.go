// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

const (
	// HeaderLen is the length of a segment's header, in bytes.
	HeaderLen = 64
	// Suffix ends the name of a segment.
	Suffix = ".log"
	// SeqDigits is the number of digits in the name of a segment.
	SeqDigits = 20
	// FormatVersion is the version of the format of all files of a journal.
	FormatVersion = 1
	// MaxSeq limits the numbers of messages. A journal cannot reach it, but the name of a file can.
	MaxSeq = 1 << 63
	// MaxLen limits how many bytes of a segment are read.
	MaxLen = 4 << 30

	magic = "genltlog"
)

// Name returns the name of the segment whose first message has the number first.
func Name(first uint64) string { return fmt.Sprintf("%0*d%s", SeqDigits, first, Suffix) }

// ParseName is the inverse of Name. ok is false if name is not the name of a segment.
func ParseName(name string) (first uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, Suffix)
	if !ok || len(digits) != SeqDigits {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 10, 64)
	return first, err == nil && first > 0 && first < MaxSeq
}

// A Header begins each segment. It repeats the content of other files, so that the
// journal survives the loss of those files.
type Header struct {
	Identity
	First      uint64 // number of the segment's first message
	Index      uint64 // number of messages that were journaled before the segment
	Generation uint64 // of the last batch before the segment
	Synced     uint64 // highest number that was known to be durable when the segment was created
}

// Encode returns the header as it is on the disk.
func (h *Header) Encode() []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, HeaderLen), magic...)
	b = le.AppendUint32(b, 0) // the checksum, see below
	b = le.AppendUint32(b, FormatVersion)
	for _, v := range []uint64{h.ID, h.Mark, h.First, h.Index, h.Generation, h.Synced} {
		b = le.AppendUint64(b, v)
	}
	le.PutUint32(b[8:], crc32.Checksum(b[12:], castagnoli))
	return b
}

// ParseHeader decodes a header. ok is false if it is damaged.
func ParseHeader(b []byte) (h Header, ok bool) {
	le := binary.LittleEndian
	if len(b) < HeaderLen || string(b[:8]) != magic ||
		le.Uint32(b[8:]) != crc32.Checksum(b[12:HeaderLen], castagnoli) || le.Uint32(b[12:]) != FormatVersion {
		return Header{}, false
	}
	return Header{
		Identity: Identity{ID: le.Uint64(b[16:]), Mark: le.Uint64(b[24:])},
		First:    le.Uint64(b[32:]), Index: le.Uint64(b[40:]), Generation: le.Uint64(b[48:]), Synced: le.Uint64(b[56:]),
	}, true
}

// ReadHeader reads the header of a segment. ok is false if the header is damaged. A header
// that cannot be read is an error.
func ReadHeader(f vfs.File) (h Header, ok bool, err error) {
	var b [HeaderLen]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Header{}, false, err
	}
	h, ok = ParseHeader(b[:n])
	return h, ok, nil
}
