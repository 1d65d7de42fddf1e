// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A slot file holds one small value several times, each in a disk block of its own.
// A value is overwritten in place, where a rename would need space: on a full disk
// it is the cursors that free some. The slot that is durable is never written, nor
// is the one that is becoming durable, so a torn write costs the new value only,
// and a write waits for no fsync.
const (
	slotCount    = 3
	slotLen      = 128
	slotGap      = 4096
	slotFileLen  = slotGap + slotLen // of a new one; the third slot is made when it is needed
	slotMagic    = "genltslt"
	slotValueLen = slotLen - 24
)

type slotFile struct {
	file    File
	turn    int    // the slot to write
	durable int    // the slot that is, or was before what is being synced
	syncing int    // the slot that is becoming durable, or -1
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

// readSlots returns the value of a slot file. ok is false when it holds none that is
// valid; a slot that cannot be read is an error, as it may be the newest.
func readSlots(fs FS, path string) (value []byte, ok bool, err error) {
	file, err := fs.Open(path, unix.O_RDONLY)
	if err != nil {
		return nil, false, err
	}
	defer file.Close() // only read
	_, value, ok, err = scanSlots(file)
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", path, err)
	}
	return value, ok, nil
}

func scanSlots(file File) (s *slotFile, value []byte, ok bool, err error) {
	s = &slotFile{file: file, durable: 1, syncing: -1}
	for i := range slotCount {
		b := make([]byte, slotLen)
		if _, err := file.ReadAt(b, int64(i)*slotGap); err != nil && !isEOF(err) {
			return s, nil, false, err
		}
		version, v, valid := parseSlot(b) // of a short one the checksum is wrong
		if valid && (!ok || version > s.version) {
			s.version, s.durable, s.newest, value, ok = version, i, b, v, true
		}
	}
	s.turn = s.free()
	return s, value, ok, nil
}

// openSlots opens a slot file for writing. ok is false when it holds no valid value.
func openSlots(fs FS, path string) (s *slotFile, value []byte, ok bool, err error) {
	file, err := fs.Open(path, unix.O_RDWR)
	if err != nil {
		return nil, nil, false, err
	}
	s, value, ok, err = scanSlots(file)
	if err == nil {
		// A process that was killed may have left the newest value in memory only,
		// and the next write goes to the other slot. If an fsync had failed there, the
		// kernel has to be told again that there is something to write.
		if ok {
			_, err = file.WriteAt(s.newest, int64(s.durable)*slotGap)
		}
		err = errors.Join(err, file.Sync())
	}
	if err != nil {
		file.Close() // the first error tells more
		return nil, nil, false, fmt.Errorf("%s: %w", path, err)
	}
	return s, value, ok, nil
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
	return &slotFile{file: file, turn: 1, version: 1, syncing: -1}, nil
}

// free returns the first slot that may be written.
func (s *slotFile) free() int {
	for i := range slotCount {
		if i != s.durable && i != s.syncing {
			return i
		}
	}
	panic("unreachable: there are more slots than two")
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
	if begun, err := s.beginSync(); err != nil || !begun {
		return err
	}
	return s.endSync(s.file.Sync())
}

// beginSync must come before the file's Sync, and endSync behind it, with what it
// returned. Between the two, write may be called. begun is false when there is
// nothing to sync.
func (s *slotFile) beginSync() (begun bool, err error) {
	if !s.written {
		return false, nil
	}
	if s.failed {
		// The kernel calls clean what it could not write: a second fsync alone would
		// succeed and prove nothing.
		if _, err := s.file.WriteAt(s.newest, int64(s.turn)*slotGap); err != nil {
			return false, err
		}
	}
	s.syncing, s.written = s.turn, false
	s.turn = s.free()
	return true, nil
}

func (s *slotFile) endSync(err error) error {
	synced := s.syncing
	s.syncing, s.failed = -1, err != nil
	switch {
	case err == nil:
		s.durable = synced
		if !s.written {
			s.turn = s.free()
		}
	case !s.written: // it is still to be done
		s.turn, s.written = synced, true
	}
	return err
}
