// SPDX-License-Identifier: Apache-2.0

package file

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/lines"
	"github.com/genltestd/genltestd/daemon/statefile"
)

// A position is a small file in which the sink notes each append before it begins. Written
// bytes survive the process. So the next process can determine which of these events are
// in the file, without relying on the content of their lines.
//
// The note replaces the previous note: with a new batch, delivery confirms that it knows
// all accepted events. A note that is incomplete, by its checksum, is ignored: its batch
// was not begun.
//
//	 0  8  "genltpos"
//	 8  4  CRC32C of all from 16 on
//	12  4  the same once more when all lines are written
//	16 40  boot id
//	56  8  device and
//	64  8  inode of the file, and
//	72  8  when it was created, in ns since 1970
//	80  8  where the first line begins
//	88  8  highest number of an event in the note
//	96  8  number of entries, of 16 bytes each:
//	       0  8  CRC64 of the journal's id, plus the event's number; or CRC64 of an
//	             id that has more than these
//	       8  4  length of its line, or 0 when it is in the files for certain
//	      12  4  CRC32C of its line
//
// A full disk may lack room for the note. The lines are then written without a
// note, because the disk may be full of events that wait for this sink.
type position struct {
	file  *os.File // nil remembers nothing
	boot  string
	buf   []byte
	noted bool // the last note is in the file
	none  bool // no room to create the file
}

const (
	positionMagic  = "genltpos"
	positionHeader = 104
	positionEntry  = 16
	bootIDLen      = 40

	// reservedPosition is allocated in advance, for a time when the disk is full.
	reservedPosition = 16 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A note is the content of a position.
type note struct {
	boot   string
	done   bool // all its lines were written
	file   fileID
	offset int64
	last   uint64
	lines  []noteLine
}

type noteLine struct {
	id     uint64
	length uint32
	sum    uint32
}

// openPosition opens the file, and creates the file and its directory if they do not
// exist.
func openPosition(path, boot string) (p *position, n note, ok bool, err error) {
	p = &position{boot: boot}
	if path == "" {
		return p, note{}, false, nil
	}
	if boot == "" {
		text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // without the id, a note never belongs to this boot
		p.boot = strings.TrimSpace(string(text))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, note{}, false, err
	}
	text, err := statefile.Disk{}.Read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, note{}, false, err
	}
	// O_NONBLOCK: if a FIFO is at the path now, opening it does not block.
	if p.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NONBLOCK, 0o600); err != nil {
		return nil, note{}, false, err
	}
	_ = unix.Fallocate(int(p.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, reservedPosition) // see reservedPosition
	n, ok = parseNote(text)
	return p, n, ok, nil
}

// isFull reports whether an error means that the disk is full.
func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// begin notes the events that are about to be written as these lines. It also notes events
// that are known to be in the file and that delivery may not know.
func (p *position) begin(t *target, known *known, events []event.Event, l *lines.Buffer) error {
	if p.file == nil {
		return nil
	}
	le := binary.LittleEndian
	b := append(p.buf[:0], make([]byte, positionHeader)...)
	last := known.last
	for id := range known.ids {
		b = le.AppendUint64(le.AppendUint64(b, id), 0)
	}
	for i := range events {
		last = max(last, events[i].Seq)
		line := l.Line(i)
		b = le.AppendUint64(b, known.hash(&events[i]))
		b = le.AppendUint32(b, uint32(len(line)))
		b = le.AppendUint32(b, crc32.Checksum(line, castagnoli))
	}
	copy(b, positionMagic)
	copy(b[16:16+bootIDLen], p.boot)
	for i, v := range [...]uint64{
		t.id.dev, t.id.ino, uint64(t.id.born),
		uint64(t.size - t.torn), last, uint64(len(known.ids) + len(events)),
	} {
		le.PutUint64(b[56+8*i:], v)
	}
	le.PutUint32(b[8:], crc32.Checksum(b[16:], castagnoli))
	p.buf = b
	_, err := p.file.WriteAt(b, 0)
	p.noted = err == nil
	return err
}

// noteIfRoom is like begin, but a full disk is not an error. Then the lines are written
// without a note, and the last note, which describes earlier lines, does not count.
func (p *position) noteIfRoom(t *target, known *known, events []event.Event, l *lines.Buffer) (noted bool, err error) {
	if p.none {
		return false, nil
	}
	if err = p.begin(t, known, events, l); !isFull(err) {
		return err == nil, err
	}
	return false, p.clear()
}

// end notes that all lines of the last note are complete.
func (p *position) end() error {
	if p.file == nil || !p.noted {
		return nil
	}
	_, err := p.file.WriteAt(p.buf[8:12], 12)
	return err
}

// noteKnown notes only the events that are certainly in the files.
func (p *position) noteKnown(t *target, known *known) error { return p.begin(t, known, nil, nil) }

// clear invalidates the last note: its lines may not survive.
func (p *position) clear() error {
	if p.file == nil {
		return nil
	}
	p.noted = false
	_, err := p.file.WriteAt(make([]byte, len(positionMagic)), 0)
	if isFull(err) {
		err = p.file.Truncate(0) // no block exists that could be overwritten
	}
	return err
}

func (p *position) close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

func parseNote(b []byte) (n note, ok bool) {
	if len(b) < positionHeader || string(b[:8]) != positionMagic {
		return note{}, false
	}
	le := binary.LittleEndian
	count := le.Uint64(b[96:])
	if count > uint64(len(b)/positionEntry) || len(b) < positionHeader+int(count)*positionEntry {
		return note{}, false
	}
	b = b[:positionHeader+count*positionEntry]
	sum := le.Uint32(b[8:])
	if sum != crc32.Checksum(b[16:], castagnoli) {
		return note{}, false
	}
	n = note{
		boot: strings.TrimRight(string(b[16:16+bootIDLen]), "\x00"), done: le.Uint32(b[12:]) == sum,
		file:   fileID{le.Uint64(b[56:]), le.Uint64(b[64:]), int64(le.Uint64(b[72:]))},
		offset: int64(le.Uint64(b[80:])),
		last:   le.Uint64(b[88:]),
	}
	for b = b[positionHeader:]; len(b) > 0; b = b[positionEntry:] {
		n.lines = append(n.lines, noteLine{le.Uint64(b), le.Uint32(b[8:]), le.Uint32(b[12:])})
	}
	return n, true
}
