// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// asideSuffix ends the name of a file that could not be used and was set aside.
const asideSuffix = ".damaged"

// Open maps the file at path, and creates it if it does not exist, with size bytes of
// memory. fresh means that the memory contains no batch: it is zero.
//
// A file of a newer version, of another size, or that is not an inbox is set aside, and
// Discarded contains the reason. If only the size of the batch differs, the snapshots in it
// are kept. So its user can still count by their numbers the events that are lost with the
// batch. A file system without space for the file is not an error: see Unbacked.
func Open(path string, size int) (b *Inbox, fresh bool, err error) {
	b = &Inbox{}
	before, discarded, err := inspect(path, size)
	if err != nil {
		return nil, false, fmt.Errorf("inbox: %w", err)
	}
	if discarded != nil {
		b.Discarded = setAside(path, discarded)
	}
	err = b.mapFile(path, headerSize+size)
	if vfs.IsFull(err) && b.Discarded != nil {
		_ = os.Remove(path + asideSuffix) // it occupies the space
		err = b.mapFile(path, headerSize+size)
	}
	if vfs.IsFull(err) {
		b.Unbacked, b.OnDisk = err, false
		b.mapping, err = unix.Mmap(-1, 0, headerSize+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	}
	if err != nil {
		return nil, false, fmt.Errorf("inbox: %w", err)
	}
	b.header = (*header)(unsafe.Pointer(&b.mapping[0]))
	fresh = b.Discarded != nil || b.header.magic != magic || b.header.size != int64(size)
	if fresh {
		b.begin(size, before)
	}
	b.header.upgrade()
	for i := range b.header.snapshots {
		b.intact[i] = b.header.snapshots[i].valid()
	}
	return b, fresh, nil
}

// begin makes the mapping a new inbox, with the snapshots of before if that is not nil.
func (b *Inbox) begin(size int, before *header) {
	clear(b.mapping)
	h := b.header
	if before != nil {
		before.upgrade()
		h.generation.Store(before.generation.Load())
		h.assigned.Store(before.assigned.Load())
		h.assignedFor.Store(before.assignedFor.Load())
		h.snapshots = before.snapshots
	}
	h.version, h.size = version, int64(size)
	h.magic = magic // last: it makes the header valid
}

// upgrade converts a header of an earlier version: its generation is that of the journal too.
func (h *header) upgrade() {
	if h.version < 2 {
		h.assigned.Store(h.generation.Load())
		h.assignedFor.Store(h.generation.Load())
	}
	h.version = version // last: a process that is killed before repeats the upgrade
}

// inspect reads the header of an existing file. discarded is why its batch cannot be used.
// before is then the header, if its form is known.
func inspect(path string, size int) (before *header, discarded, err error) {
	b, bytes, err := readHeader(path)
	if err != nil || len(b) == 0 {
		return nil, nil, err
	}
	h := (*header)(unsafe.Pointer(&b[0]))
	switch {
	case bytes < headerSize || h.magic != magic && (h.magic != 0 || bytes != int64(headerSize+size)):
		return nil, errors.New("it is not an inbox; if it contained a batch, the number of lost events is unknown"), nil
	case h.magic == 0: // its creator was killed before it wrote the header
		return nil, nil, nil
	case h.version > version:
		return nil, fmt.Errorf("it has version %d, and this program knows %d; "+
			"the events of a batch in it are lost, their number is unknown", h.version, version), nil
	case h.size != int64(size) || bytes != int64(headerSize+size):
		return h, fmt.Errorf("its batch has %d bytes, and this program uses %d; "+
			"the events of a batch in it are lost, and counted by their numbers", h.size, size), nil
	}
	return nil, nil, nil
}

// readHeader returns the header of a file, which has length headerSize, and the length of
// the file. Without a file the header is nil.
func readHeader(path string) (b []byte, bytes int64, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: path, Err: vfs.Irregular(vfs.KindOf(info.Mode()))}
	}
	if err != nil || info.Size() == 0 {
		return nil, 0, err
	}
	b = make([]byte, headerSize)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	return b, info.Size(), nil
}

// setAside renames a file that cannot be used, and returns the reason with the new name.
func setAside(path string, reason error) error {
	if err := os.Rename(path, path+asideSuffix); err != nil {
		return fmt.Errorf("%w; it is overwritten: %w", reason, err)
	}
	return fmt.Errorf("%w; the file is set aside as %s", reason, path+asideSuffix)
}

// mapFile maps the file at path, which is empty or has that length.
func (b *Inbox) mapFile(path string, length int) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	b.OnDisk = fs.Type != unix.TMPFS_MAGIC && fs.Type != unix.RAMFS_MAGIC
	if b.mapping, err = mapWhole(f, length); err != nil {
		return fmt.Errorf("%s: %w; its directory should be on a tmpfs", path, err)
	}
	return nil
}

// mapWhole allocates every page before it maps the file: a page that cannot be allocated
// later would lose the message that the kernel copies into it.
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
