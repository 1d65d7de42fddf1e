// SPDX-License-Identifier: Apache-2.0

// Package slot stores one small value in a file, so that a crash at any time leaves
// either the old or the new value.
//
// A slot file holds the value several times, each in a disk block of its own. Write
// overwrites a slot in place. A rename would need space, and on a full disk it is the
// cursors, which are slot files, that free space. Write never overwrites the slot that
// is durable, nor the slot that an fsync is making durable. So a torn write loses only
// the new value, and Write does not wait for an fsync.
//
// The format of a slot, little-endian; the slots are at 0, Gap and 2*Gap:
//
//	 0   8  "genltslt"
//	 8   4  CRC32C of the rest of the slot
//	12   4  0
//	16   8  version
//	24 104  value
//
// The valid slot with the highest version holds the value. The third slot may be missing.
package slot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

const (
	// Gap is the distance between the beginnings of two slots, in bytes.
	Gap = 4096
	// Len is the length of a slot, in bytes.
	Len = 128
	// ValueLen is the maximum length of a value, in bytes.
	ValueLen = Len - 24

	count   = 3
	fileLen = Gap + Len // of a new file; the third slot is created when it is first written
	magic   = "genltslt"
)

// A File is a slot file that is open for writing. It is not safe for concurrent use,
// except that Fsync may run at the same time as Write: see BeginSync.
type File struct {
	file    vfs.File
	turn    int    // index of the slot for the next Write
	durable int    // index of the slot that is durable
	syncing int    // index of the slot that an fsync is making durable, or -1
	version uint64 // of the newest value
	newest  []byte // the newest slot, encoded
	written bool   // since the last BeginSync
	failed  bool   // the last fsync failed
}

// Encode returns a slot.
func Encode(version uint64, value []byte) []byte {
	b := make([]byte, Len)
	copy(b, magic)
	binary.LittleEndian.PutUint64(b[16:], version)
	copy(b[24:], value)
	binary.LittleEndian.PutUint32(b[8:], checksum(b))
	return b
}

// parse decodes a slot.
func parse(b []byte) (version uint64, value []byte, ok bool) {
	if len(b) != Len || string(b[:8]) != magic ||
		binary.LittleEndian.Uint32(b[8:]) != checksum(b) {
		return 0, nil, false
	}
	return binary.LittleEndian.Uint64(b[16:]), b[24:], true
}

// Read returns the value of a slot file. ok is false without a valid slot. A
// slot that cannot be read is an error, because it may be the newest.
func Read(fs vfs.FS, path string) (value []byte, ok bool, err error) {
	file, err := fs.Open(path, unix.O_RDONLY)
	if err != nil {
		return nil, false, err
	}
	defer file.Close() // nothing was written
	_, value, ok, err = scan(file)
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", path, err)
	}
	return value, ok, nil
}

// scan reads all slots.
func scan(file vfs.File) (s *File, value []byte, ok bool, err error) {
	s = &File{file: file, durable: 1, syncing: -1}
	for i := range count {
		b := make([]byte, Len)
		if _, err := file.ReadAt(b, int64(i)*Gap); err != nil && !errors.Is(err, io.EOF) {
			return s, nil, false, err
		}
		version, v, valid := parse(b) // a short slot has a wrong checksum
		if valid && (!ok || version > s.version) {
			s.version, s.durable, s.newest, value, ok = version, i, b, v, true
		}
	}
	s.turn = s.free()
	return s, value, ok, nil
}

// Open opens a slot file for writing. ok is false without a valid slot.
func Open(fs vfs.FS, path string) (s *File, value []byte, ok bool, err error) {
	file, err := fs.Open(path, unix.O_RDWR)
	if err != nil {
		return nil, nil, false, err
	}
	s, value, ok, err = scan(file)
	if err == nil {
		// The newest value of a killed process may be in memory only, and the next Write
		// overwrites the other slot. After a failed fsync the kernel marks the page clean,
		// so the value has to be written again before the fsync.
		if ok {
			_, err = file.WriteAt(s.newest, int64(s.durable)*Gap)
		}
		err = errors.Join(err, file.Sync())
	}
	if err != nil {
		file.Close() // the first error is more useful
		return nil, nil, false, fmt.Errorf("%s: %w", path, err)
	}
	return s, value, ok, nil
}

// Create creates or replaces a slot file atomically and durably.
func Create(fs vfs.FS, path string, value []byte) (*File, error) {
	temp := path + vfs.TempSuffix
	file, err := fs.Open(temp, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC)
	if err != nil {
		return nil, err
	}
	b := make([]byte, fileLen)
	copy(b, Encode(1, value))
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
	return &File{file: file, turn: 1, version: 1, syncing: -1}, nil
}

// free returns the first slot that Write may overwrite.
func (s *File) free() int {
	for i := range count {
		if i != s.durable && i != s.syncing {
			return i
		}
	}
	panic("unreachable: count is more than two")
}

// Write replaces the value. The new value survives the end of the process at once, and
// a power cut after the next sync.
func (s *File) Write(value []byte) error {
	s.version++
	s.newest, s.written = Encode(s.version, value), true
	_, err := s.file.WriteAt(s.newest, int64(s.turn)*Gap)
	return err
}

// Sync makes the value durable.
func (s *File) Sync() error {
	if begun, err := s.BeginSync(); err != nil || !begun {
		return err
	}
	return s.EndSync(s.Fsync())
}

// BeginSync prepares an fsync. If begun is true, the caller must call Fsync, and then
// EndSync with its result. Write may be called in between, also while Fsync runs. begun
// is false if nothing was written since the last sync.
func (s *File) BeginSync() (begun bool, err error) {
	if !s.written {
		return false, nil
	}
	if s.failed {
		// The kernel marks pages clean that it failed to write. A second fsync alone would
		// succeed without writing them.
		if _, err := s.file.WriteAt(s.newest, int64(s.turn)*Gap); err != nil {
			return false, err
		}
	}
	s.syncing, s.written = s.turn, false
	s.turn = s.free()
	return true, nil
}

// EndSync records the result of Fsync, which it returns.
func (s *File) EndSync(err error) error {
	synced := s.syncing
	s.syncing, s.failed = -1, err != nil
	switch {
	case err == nil:
		s.durable = synced
		if !s.written {
			s.turn = s.free()
		}
	case !s.written: // sync this slot again
		s.turn, s.written = synced, true
	}
	return err
}

// Fsync flushes the file. Only the caller of BeginSync may call it.
func (s *File) Fsync() error { return s.file.Sync() }

// Stat describes the open file.
func (s *File) Stat() (vfs.FileInfo, error) { return s.file.Stat() }

// Close closes the file, without a sync.
func (s *File) Close() { s.file.Close() }

// checksum returns the checksum of a slot.
func checksum(b []byte) uint32 { return crc32.Checksum(b[12:], crc32.MakeTable(crc32.Castagnoli)) }
