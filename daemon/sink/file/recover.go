// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/genltestd/genltestd/daemon/event"
)

// known are events that are in the files but that delivery may not know as accepted.
// Delivery passes them again, in order but not necessarily at once: dead letters may be
// replayed before. The set is empty except during the first batches of a process.
type known struct {
	ids     map[uint64]struct{}
	last    uint64   // highest number among them
	taken   []uint64 // by this attempt; the next attempt proves that delivery knows
	journal string   // whose hash
	base    uint64   // is
	scratch []byte
}

var ecma = crc64.MakeTable(crc64.ECMA)

// hash identifies an event in a position. Two events of one journal never have the same
// hash.
func (k *known) hash(e *event.Event) uint64 {
	if e.Suppressed != nil || e.Test != nil { // its id contains more than a number
		k.scratch = e.AppendID(k.scratch[:0])
		return crc64.Checksum(k.scratch, ecma)
	}
	if k.journal != e.JournalID {
		k.journal, k.base = e.JournalID, crc64.Checksum([]byte(e.JournalID), ecma)
	}
	return k.base + e.Seq
}

func (k *known) has(e *event.Event) bool {
	if len(k.ids) == 0 {
		return false
	}
	_, ok := k.ids[k.hash(e)]
	return ok
}

// take reports whether the event is already in the files.
func (k *known) take(e *event.Event) bool {
	if !k.has(e) {
		return false
	}
	k.taken = append(k.taken, k.hash(e))
	return true
}

// untilNext returns how many of the events precede a known event.
func (k *known) untilNext(events []event.Event) int {
	for i := range events {
		if k.has(&events[i]) {
			return i
		}
	}
	return len(events)
}

func (k *known) add(events []event.Event) {
	for i := range events {
		id := k.hash(&events[i])
		k.ids[id] = struct{}{}
		k.taken = append(k.taken, id)
		k.last = max(k.last, events[i].Seq)
	}
}

func (k *known) forgetTaken() {
	for _, id := range k.taken {
		delete(k.ids, id)
	}
	k.taken = k.taken[:0]
}

// passed forgets the known events once delivery has passed them: a filter now excludes
// events that were not passed again by then.
func (k *known) passed(events []event.Event) {
	if len(k.ids) == 0 || len(events) == 0 || events[len(events)-1].Seq <= k.last {
		return
	}
	*k = known{}
}

// restorePosition reads the position, and determines which of its events an earlier process has
// written.
func (s *Sink) restorePosition() error {
	p, n, ok, err := openPosition(s.env.Position, s.env.BootID)
	if isFull(err) { // so it did not exist before
		p, err = &position{none: true}, nil
	}
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	if ok {
		err = s.settle(n, n.boot == p.boot && p.boot != "")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("look for events that are written already: %w", err), p.close())
	}
	s.position = p
	return nil
}

// settle trusts a note only for lines that were written in this boot: after a power cut
// the file may contain less than the note describes.
func (s *Sink) settle(n note, sameBoot bool) (err error) {
	whole := 0
	if s.target.id == n.file {
		whole, s.target.torn, err = n.scan(s.target.file)
		if err == nil && s.config.durable() {
			err = s.target.file.Sync()
		}
	} else {
		whole, err = n.settleMoved(s.config.Path, s.config.durable())
	}
	if err != nil {
		return err
	}
	s.known = known{ids: make(map[uint64]struct{}), last: n.last}
	for i, line := range n.lines {
		if i < whole && line.length > 0 || sameBoot && (n.done || line.length == 0) {
			s.known.ids[line.id] = struct{}{}
		}
	}
	return nil
}

// settleMoved searches a renamed file, and removes an incomplete line from its end: the
// line will be written to another file.
func (n *note) settleMoved(path string, durable bool) (whole int, err error) {
	t := target{id: n.file}
	if t.file, err = sibling(path, n.file); err != nil || t.file == nil {
		return 0, err
	}
	whole, t.torn, err = n.scan(t.file)
	if err == nil {
		t.size, err = t.file.Seek(0, io.SeekEnd)
	}
	if err == nil {
		err = t.untear()
	}
	if err == nil && durable {
		err = t.file.Sync()
	}
	return whole, errors.Join(err, t.close())
}

// scan returns how many of the note's entries, from the first one on, are in the file, and
// how many bytes of the next entry's line follow them.
func (n *note) scan(f *os.File) (whole int, torn int64, err error) {
	in := bufio.NewReaderSize(io.NewSectionReader(f, n.offset, 1<<62), 1<<16)
	var line []byte
	for _, want := range n.lines {
		if want.length == 0 {
			whole++
			continue
		}
		if in.Size() < int(want.length) {
			in = bufio.NewReaderSize(in, int(want.length))
		}
		line, err = in.Peek(int(want.length))
		if errors.Is(err, io.EOF) {
			if bytes.IndexByte(line, '\n') >= 0 {
				line = nil // a foreign line: ours would be complete
			}
			return whole, int64(len(line)), nil
		}
		if err != nil || crc32.Checksum(line, castagnoli) != want.sum {
			return whole, 0, err
		}
		whole++
		if _, err := in.Discard(len(line)); err != nil {
			return whole, 0, err
		}
	}
	return whole, 0, nil
}

// sibling finds a file that was renamed within its directory, as logrotate and our own
// rotation do. It returns nil if it does not find the file.
func sibling(path string, id fileID) (*os.File, error) {
	list, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	for _, entry := range list {
		if !strings.HasPrefix(entry.Name(), filepath.Base(path)) {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && (!id.hasInode(info) || !info.Mode().IsRegular()) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return openIf(filepath.Join(filepath.Dir(path), entry.Name()), id)
	}
	return nil, nil
}

// openIf returns nil if path leads to another file.
func openIf(path string, id fileID) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	got, err := idOf(f)
	if err != nil || got != id {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
