// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A target is the open file and its end.
type target struct {
	file  *os.File  // nil if closed
	id    fileID    // of file
	size  int64     // as this process left it; if it differs, another process has written or truncated
	torn  int64     // length of the incomplete line of ours at the end
	dirty bool      // the end may not be the end of a line
	began time.Time // when the file was created, or opened if the file system does not record that
}

// A fileID identifies a file independently of its path. An inode number may be reused for
// another file, which then has another birth time.
type fileID struct {
	dev, ino uint64
	born     int64 // in ns since 1970; 0 if the file system does not record it
}

func idOf(f *os.File) (fileID, error) {
	var st unix.Statx_t
	if err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_BTIME, &st); err != nil {
		return fileID{}, fmt.Errorf("statx: %w", err)
	}
	id := fileID{dev: unix.Mkdev(st.Dev_major, st.Dev_minor), ino: st.Ino}
	if st.Mask&unix.STATX_BTIME != 0 {
		id.born = st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
	}
	return id, nil
}

// hasInode reports whether info belongs to the file, or to a later file with the same
// inode number.
func (id fileID) hasInode(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Dev == id.dev && st.Ino == id.ino
}

var (
	errNotRegular = errors.New("not a regular file")
	errInUse      = errors.New("another process, or another sink, writes to it")
)

// open opens or creates the file and locks it: two writers would garble it.
func (t *target) open(path string, mode fs.FileMode, durable bool, now time.Time) error {
	// O_NONBLOCK: opening a FIFO without a reader fails instead of blocking.
	const flags = os.O_RDWR | os.O_APPEND | syscall.O_NONBLOCK
	f, err := os.OpenFile(path, flags, 0)
	created := errors.Is(err, fs.ErrNotExist)
	if created {
		f, err = os.OpenFile(path, flags|os.O_CREATE, mode)
	}
	if err != nil {
		return err
	}
	info, err := lock(f)
	if err == nil && created && durable {
		err = syncDir(path)
	}
	var id fileID
	if err == nil {
		id, err = idOf(f)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", path, err), f.Close())
	}
	*t = target{file: f, id: id, size: info.Size(), dirty: true, began: now}
	if id.born != 0 {
		t.began = time.Unix(0, id.born)
	}
	return nil
}

func lock(f *os.File) (fs.FileInfo, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	// On a file system without locks, the file is used without a lock.
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errInUse
	}
	return info, nil
}

// follow closes the file if the path no longer leads to it, and detects changes by other
// processes.
func (t *target) follow(path string) error {
	if t.file == nil {
		return nil
	}
	named, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !t.id.hasInode(named) {
		return t.leave()
	}
	if err != nil {
		return err
	}
	if named.Size() != t.size {
		t.size, t.torn, t.dirty = named.Size(), 0, true
	}
	return nil
}

// endForeignLine ends an incomplete foreign line, so that the next event begins a new
// line.
func (t *target) endForeignLine() error {
	if !t.dirty {
		return nil
	}
	if t.size > 0 && t.torn == 0 {
		var last [1]byte
		if _, err := t.file.ReadAt(last[:], t.size-1); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if last[0] != '\n' {
			n, err := t.file.Write([]byte{'\n'})
			t.size += int64(n)
			if err != nil {
				return err
			}
		}
	}
	t.dirty = false
	return nil
}

// resume returns how many bytes of text an interrupted write has already written. It
// removes the incomplete line of any other event, which is not delivered again, or is now
// written differently.
func (t *target) resume(text []byte) (begin int, err error) {
	if t.torn == 0 {
		return 0, nil
	}
	if t.torn <= int64(len(text)) {
		torn := make([]byte, t.torn)
		if _, err := t.file.ReadAt(torn, t.size-t.torn); err != nil {
			return 0, err
		}
		if bytes.HasPrefix(text, torn) {
			return len(torn), nil
		}
	}
	return 0, t.untear()
}

// untear removes the incomplete line from the file's end.
func (t *target) untear() error {
	if t.torn == 0 {
		return nil
	}
	if err := t.file.Truncate(t.size - t.torn); err != nil {
		return err
	}
	t.size, t.torn = t.size-t.torn, 0
	return nil
}

// leave closes a file that will not be written again.
func (t *target) leave() error {
	if t.file == nil {
		return nil
	}
	return errors.Join(t.untear(), t.close())
}

// close closes the file; an incomplete line can be completed later.
func (t *target) close() error {
	if t.file == nil {
		return nil
	}
	f := t.file
	t.file, t.torn = nil, 0
	// A process that is being started inherits the descriptor for a moment: the lock must
	// not last as long.
	_ = unix.Flock(int(f.Fd()), unix.LOCK_UN) // close does the same, but later
	return f.Close()
}
