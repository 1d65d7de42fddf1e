// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An Inbox is memory shared with a file. A batch lies in it from the moment that
// the kernel hands it over until it is in the journal, so that at no instruction
// it exists in the memory of the process alone.
//
// Its generation is that of the batch in it. A batch whose generation the journal
// has not seen was received by a process that ended before it could append it.
// One whose generation it has seen was appended, and is not looked at again.
//
// The file belongs on a tmpfs: on a disk that is full or broken the mapping could
// fault. It need not survive a power cut. The memory is for one goroutine; the
// rest may be used by several.
type Inbox struct {
	mapping []byte
	header  *inboxHeader
}

type inboxHeader struct {
	magic      uint64
	size       int64
	generation atomic.Uint64
	note       atomic.Uint64
}

const (
	inboxMagic      = 0x31786f626e69_4c47 // "GLinbox1" in memory
	inboxHeaderSize = 4096                // keeps the memory aligned as a page is
)

// OpenInbox maps the file at path, and makes it if need be, with size bytes of
// memory. fresh says that the file was new or not an inbox of this size: then
// its memory is zero.
func OpenInbox(path string, size int) (b *Inbox, fresh bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("inbox: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	mapping, err := mapWhole(f, inboxHeaderSize+size)
	if err != nil {
		return nil, false, fmt.Errorf("inbox %s: %w; its directory should be on a tmpfs", path, err)
	}
	b = &Inbox{mapping: mapping, header: (*inboxHeader)(unsafe.Pointer(&mapping[0]))}
	if b.header.magic != inboxMagic || b.header.size != int64(size) {
		clear(mapping)
		b.header.magic, b.header.size = inboxMagic, int64(size)
		fresh = true
	}
	return b, fresh, nil
}

// mapWhole makes sure that every page is there before it is mapped: a page that
// cannot be had later would cost the message that the kernel puts into it.
func mapWhole(f *os.File, length int) ([]byte, error) {
	fd := int(f.Fd())
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() != int64(length) {
		if err := errors.Join(f.Truncate(0), f.Truncate(int64(length))); err != nil {
			return nil, err
		}
	}
	if err := unix.Fallocate(fd, 0, 0, int64(length)); err != nil {
		return nil, fmt.Errorf("allocate %d bytes: %w", length, err)
	}
	mapping, err := unix.Mmap(fd, 0, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("map: %w", err)
	}
	return mapping, nil
}

// Memory returns what a batch is received into, aligned as a page is.
func (b *Inbox) Memory() []byte { return b.mapping[inboxHeaderSize:] }

// Generation returns that of the batch in the memory, or of the next one.
func (b *Inbox) Generation() uint64 { return b.header.generation.Load() }

// SetGeneration is called when the memory holds no batch.
func (b *Inbox) SetGeneration(g uint64) { b.header.generation.Store(g) }

// Note returns what its user wants to know about the batch after a restart.
func (b *Inbox) Note() uint64 { return b.header.note.Load() }

// SetNote is called when the memory holds no batch.
func (b *Inbox) SetNote(note uint64) { b.header.note.Store(note) }

// Close unmaps the memory. What is in it stays in the file.
func (b *Inbox) Close() error { return unix.Munmap(b.mapping) }
