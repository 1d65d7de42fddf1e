// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// An Inbox is memory shared with a file. A batch lies in it from the moment that
// the kernel hands it over until it is in the journal, so that at no instruction
// it exists in the memory of the process alone.
//
// Its generation is that of the batch in it. A batch whose generation the journal
// has not seen was received by a process that ended before it could append it.
// One whose generation it has seen was appended, and is not looked at again.
//
// Beside the batch lies a memo, what its user has to know to go on from a
// generation. That of the generation after a batch is kept before the batch is
// appended, and the one before stays until then: whichever of the two generations
// the journal turns out to have, its memo is there.
//
// The file belongs on a tmpfs: on a disk the mapping faults, and a fault may cost a
// message; see OnDisk. It need not survive a power cut. The memory is for one goroutine; the
// rest may be used by several.
type Inbox struct {
	mapping []byte
	header  *header
	intact  [2]bool // of the memos

	// Discarded says that the file held something else: if it was a batch, that is lost.
	Discarded bool
	// Unbacked is why the memory has no file, nil when it has one: a batch in it is lost
	// when the process is killed.
	Unbacked error
	// OnDisk reports that the file is not on a tmpfs. The kernel may then have to fault a
	// page in, or make it writable again after writeback, while it copies a message. With
	// a SIGKILL pending that fault fails with EFAULT, and the message is lost.
	OnDisk bool
}

type header struct {
	magic      uint64
	size       int64
	generation atomic.Uint64
	memos      [2]memo
}

// A memo whose checksum is wrong was being written when the process ended.
type memo struct {
	checksum   uint32 // of the rest, up to length
	length     uint32
	generation uint64
	version    uint64 // the higher is the newer
	data       [MemoBytes]byte
}

// MemoBytes is the most that Remember takes.
const MemoBytes = 1024

const (
	magic      = 0x32786f626e69_4c47 // "GLinbox2" in memory
	headerSize = 4096                // keeps the memory aligned as a page is
)

// OpenInbox maps the file at path, and makes it if need be, with size bytes of
// memory. fresh says that the file was new or not an inbox of this size: then
// its memory is zero. A file system without room for it is no error: see Unbacked.
func Open(path string, size int) (b *Inbox, fresh bool, err error) {
	b = &Inbox{}
	err = b.mapFile(path, headerSize+size)
	if vfs.IsFull(err) {
		b.Unbacked, b.OnDisk = err, false
		b.mapping, err = unix.Mmap(-1, 0, headerSize+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	}
	if err != nil {
		return nil, false, fmt.Errorf("inbox: %w", err)
	}
	b.header = (*header)(unsafe.Pointer(&b.mapping[0]))
	if b.header.magic != magic || b.header.size != int64(size) {
		b.Discarded = b.Discarded || b.header.magic != 0
		clear(b.mapping)
		b.header.magic, b.header.size = magic, int64(size)
		fresh = true
	}
	for i := range b.header.memos {
		b.intact[i] = b.header.memos[i].valid()
	}
	return b, fresh, nil
}

// mapFile maps the file at path. A file of another size is discarded.
func (b *Inbox) mapFile(path string, length int) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: path, Err: vfs.Irregular(vfs.KindOf(info.Mode()))}
	}
	var fs unix.Statfs_t
	if err == nil {
		err = os.NewSyscallError("fstatfs", unix.Fstatfs(int(f.Fd()), &fs))
	}
	if err != nil {
		return err
	}
	b.OnDisk = fs.Type != unix.TMPFS_MAGIC && fs.Type != unix.RAMFS_MAGIC
	if b.mapping, err = mapWhole(f, length); err != nil {
		return fmt.Errorf("%s: %w; its directory should be on a tmpfs", path, err)
	}
	b.Discarded = info.Size() > 0 && info.Size() != int64(length)
	return nil
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
func (b *Inbox) Memory() []byte { return b.mapping[headerSize:] }

// Generation returns that of the batch in the memory, or of the next one.
func (b *Inbox) Generation() uint64 { return b.header.generation.Load() }

// SetGeneration is called when the memory holds no batch.
func (b *Inbox) SetGeneration(g uint64) { b.header.generation.Store(g) }

// Remember keeps data for whoever goes on from generation, which is that of the
// inbox or the next. It survives the end of the process at any instruction, and
// leaves alone what was kept last for the inbox's own generation.
func (b *Inbox) Remember(generation uint64, data []byte) {
	i := 0
	if b.find(b.Generation()) == &b.header.memos[0] {
		i = 1
	}
	version := uint64(1)
	for i := range b.header.memos {
		if b.intact[i] {
			version = max(version, b.header.memos[i].version+1)
		}
	}
	m := &b.header.memos[i]
	m.length = uint32(copy(m.data[:], data))
	m.generation, m.version = generation, version
	m.checksum = m.sum()
	b.intact[i] = true
}

// Recall returns what was kept last for generation, or else what was kept last:
// then the journal is not the one that the inbox belonged to. It is nil when
// nothing was kept, and valid until the next Remember.
func (b *Inbox) Recall(generation uint64) []byte {
	m := b.find(generation)
	if m == nil {
		return nil
	}
	return m.data[:m.length]
}

// find returns the newest intact memo, of those for generation if there is one.
func (b *Inbox) find(generation uint64) (found *memo) {
	for i := range b.header.memos {
		m := &b.header.memos[i]
		if !b.intact[i] {
			continue
		}
		fits, best := m.generation == generation, found != nil && found.generation == generation
		if found == nil || fits && !best || fits == best && m.version > found.version {
			found = m
		}
	}
	return found
}

func (m *memo) valid() bool {
	return m.version != 0 && m.length <= MemoBytes && m.checksum == m.sum()
}

func (m *memo) sum() uint32 {
	const from = unsafe.Offsetof(memo{}.length)
	whole := (*[unsafe.Sizeof(memo{})]byte)(unsafe.Pointer(m))
	return crc32.Checksum(whole[from:unsafe.Offsetof(memo{}.data)+uintptr(min(m.length, MemoBytes))], crc32.MakeTable(crc32.Castagnoli))
}

// Close unmaps the memory. What is in it stays in the file.
func (b *Inbox) Close() error { return unix.Munmap(b.mapping) }
