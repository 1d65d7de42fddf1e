// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A slot file holds one small value twice, in two disk blocks of its own. A
// value is overwritten in place, where a rename would need space: on a full disk
// it is the cursors that free some. The slot that is durable is never written,
// so a torn write costs the new value only.
const (
	slotLen      = 128
	slotGap      = 4096
	slotFileLen  = slotGap + slotLen
	slotMagic    = "genltslt"
	slotValueLen = slotLen - 24
)

type slotFile struct {
	file    File
	turn    int    // the slot to write; the other one is durable
	version uint64 // of the newest value
	newest  []byte // as it was written
	written bool   // since the last sync
	failed  bool   // the last sync has
}

func encodeSlot(version uint64, value []byte) []byte {
	b := make([]byte, slotLen)
	copy(b, slotMagic)
	binary.LittleEndian.PutUint64(b[16:], version)
	copy(b[24:], value)
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[12:], castagnoli))
	return b
}

func parseSlot(b []byte) (version uint64, value []byte, ok bool) {
	if len(b) != slotLen || string(b[:8]) != slotMagic ||
		binary.LittleEndian.Uint32(b[8:]) != crc32.Checksum(b[12:], castagnoli) {
		return 0, nil, false
	}
	return binary.LittleEndian.Uint64(b[16:]), b[24:], true
}

// openSlots opens a slot file. ok is false when it holds no valid value.
func openSlots(fs FS, path string, flags int) (s *slotFile, value []byte, ok bool, err error) {
	file, err := fs.Open(path, flags)
	if err != nil {
		return nil, nil, false, err
	}
	s = &slotFile{file: file}
	for i := range 2 {
		b := make([]byte, slotLen)
		if _, err := file.ReadAt(b, int64(i)*slotGap); err != nil {
			continue // short or unreadable: not valid
		}
		version, v, valid := parseSlot(b)
		if valid && (!ok || version > s.version) {
			s.version, s.turn, s.newest, value, ok = version, 1-i, b, v, true
		}
	}
	if flags&unix.O_RDWR != 0 {
		// A process that was killed may have left the newest value in memory only,
		// and the next write goes to the other slot. If an fsync had failed there, the
		// kernel has to be told again that there is something to write.
		if ok {
			_, err = file.WriteAt(s.newest, int64(1-s.turn)*slotGap)
		}
		err = errors.Join(err, file.Sync())
	}
	return s, value, ok, err
}

// createSlots makes a slot file that holds value, whole or not at all.
func createSlots(fs FS, path string, value []byte) (*slotFile, error) {
	temp := path + tempSuffix
	file, err := fs.Open(temp, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC)
	if err != nil {
		return nil, err
	}
	b := make([]byte, slotFileLen)
	copy(b, encodeSlot(1, value))
	_, err = file.WriteAt(b, 0)
	if err = errors.Join(err, file.Sync()); err == nil {
		err = fs.Rename(temp, path)
	}
	if err == nil {
		err = fs.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &slotFile{file: file, turn: 1, version: 1}, nil
}

// write replaces the newest value. It survives the process from now on, and the
// machine after sync.
func (s *slotFile) write(value []byte) error {
	s.version++
	s.newest, s.written = encodeSlot(s.version, value), true
	_, err := s.file.WriteAt(s.newest, int64(s.turn)*slotGap)
	return err
}

func (s *slotFile) sync() error {
	if !s.written {
		return nil
	}
	if s.failed {
		// The kernel calls clean what it could not write: a second fsync alone would
		// succeed and prove nothing.
		if _, err := s.file.WriteAt(s.newest, int64(s.turn)*slotGap); err != nil {
			return err
		}
	}
	err := s.file.Sync()
	if s.failed = err != nil; s.failed {
		return err
	}
	s.turn, s.written = 1-s.turn, false
	return nil
}
