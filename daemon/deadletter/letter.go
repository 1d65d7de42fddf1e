// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/event"
)

// An ID is the id of an event, as in the output of all sinks.
type ID struct {
	Journal string // id of the journal that numbered the event
	Seq     uint64
}

func (id ID) String() string { return id.Journal + "-" + strconv.FormatUint(id.Seq, 10) }

// ParseID parses the result of String or of event.ID.
func ParseID(text string) (ID, error) {
	i := strings.LastIndexByte(text, '-')
	seq, err := strconv.ParseUint(text[i+1:], 10, 64)
	if i < 1 || i > maxJournalLen || err != nil {
		return ID{}, fmt.Errorf("%q is not an event id; write JOURNAL-NUMBER, such as 6a9155caa46c7dcc-17", text)
	}
	return ID{text[:i], seq}, nil
}

// A Letter is an event that a sink permanently refused.
type Letter struct {
	ID       ID
	Received time.Time // by the daemon
	Data     []byte    // data of the journal's record; with ID and Received it restores the event
	Reason   string    // from the sink; Add escapes it and truncates it to MaxReason bytes
	Kind     string    // kind of the reason, from a closed list; empty in letters of older versions
	Status   int       // status in the server's response, at most 65535; 0 means no status
	Refused  time.Time
	Attempts int // attempts that ended with a refusal
}

// MaxReason is the maximum length of a stored reason, in bytes.
const MaxReason = 500

// The kinds of records in the journal of a box. Unknown kinds are skipped, because a newer
// version may have written them.
const (
	kindPlainLetter = 1 // a letter without Kind and Status, from older versions
	kindRemoved     = 2 // removes the letters with these ids
	kindMarked      = 3 // marks the letters with these ids for replay
	kindLetter      = 4 // a letter, or a newer copy of a letter
)

const (
	maxJournalLen = 255
	maxKindLen    = 255
)

// encodeLetter encodes a letter, all numbers little-endian:
//
//	kind u8, length u8 and journal, seq u64, received i64 ns, refused i64 ns,
//	attempts u32, status u16, length u8 and kind, length u16 and reason, data
//
// A plain letter lacks status and kind.
func encodeLetter(l *Letter) []byte {
	le := binary.LittleEndian
	b := beginRecord(kindLetter, l.ID.Journal)
	b = le.AppendUint64(b, l.ID.Seq)
	b = le.AppendUint64(b, uint64(l.Received.UnixNano()))
	b = le.AppendUint64(b, uint64(l.Refused.UnixNano()))
	b = le.AppendUint32(b, uint32(min(max(l.Attempts, 0), 1<<31-1)))
	b = le.AppendUint16(b, uint16(min(max(l.Status, 0), 1<<16-1)))
	cause := l.Kind[:min(len(l.Kind), maxKindLen)]
	b = append(append(b, byte(len(cause))), cause...)
	reason := visible(l.Reason)
	b = le.AppendUint16(b, uint16(len(reason)))
	return append(append(b, reason...), l.Data...)
}

func beginRecord(kind byte, journal string) []byte {
	b := append(make([]byte, 0, 256), kind, byte(len(journal)))
	return append(b, journal...)
}

// encodeNames encodes a change of letters from one journal: kind u8, length u8 and journal,
// seqs u64.
func encodeNames(kind byte, journal string, seqs []uint64) []byte {
	b := beginRecord(kind, journal)
	for _, seq := range seqs {
		b = binary.LittleEndian.AppendUint64(b, seq)
	}
	return b
}

// visible escapes a text from outside so that it is safe to show, and truncates it.
func visible(reason string) []byte {
	b := event.AppendVisible(nil, []byte(reason[:min(len(reason), MaxReason)]))
	if len(b) <= MaxReason && len(reason) <= MaxReason {
		return b
	}
	const more = "..."
	b = b[:min(len(b), MaxReason-len(more))]
	for len(b) > 0 && !utf8.Valid(b) {
		b = b[:len(b)-1]
	}
	return append(b, more...)
}

var errRecord = errors.New("not a valid record of a dead letter")

// parseKind parses the start of a record, and returns the rest.
func parseKind(b []byte) (kind byte, journal string, rest []byte, err error) {
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return 0, "", nil, errRecord
	}
	n := 2 + int(b[1])
	return b[0], string(b[2:n]), b[n:], nil
}

// isLetter reports whether records of this kind contain a letter.
func isLetter(kind byte) bool { return kind == kindLetter || kind == kindPlainLetter }

// parseLetter parses the rest of a letter's record. Data of the result aliases b.
func parseLetter(kind byte, journal string, b []byte) (l Letter, err error) {
	le := binary.LittleEndian
	const fixed = 8 + 8 + 8 + 4
	if len(b) < fixed {
		return l, errRecord
	}
	l = Letter{
		ID:       ID{journal, le.Uint64(b)},
		Received: time.Unix(0, int64(le.Uint64(b[8:]))),
		Refused:  time.Unix(0, int64(le.Uint64(b[16:]))),
		Attempts: int(le.Uint32(b[24:])),
	}
	b = b[fixed:]
	if kind == kindLetter {
		if len(b) < 3 || len(b) < 3+int(b[2]) {
			return l, errRecord
		}
		n := 3 + int(b[2])
		l.Status, l.Kind, b = int(le.Uint16(b)), string(b[3:n]), b[n:]
	}
	if len(b) < 2 || len(b) < 2+int(le.Uint16(b)) {
		return l, errRecord
	}
	n := 2 + int(le.Uint16(b))
	l.Reason, l.Data = string(b[2:n]), b[n:]
	return l, nil
}

func parseSeqs(b []byte) (seqs []uint64, err error) {
	if len(b)%8 != 0 {
		return nil, errRecord
	}
	for ; len(b) > 0; b = b[8:] {
		seqs = append(seqs, binary.LittleEndian.Uint64(b))
	}
	return seqs, nil
}
