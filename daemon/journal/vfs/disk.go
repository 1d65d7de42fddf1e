// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Disk is the file system of the machine.
type Disk struct{}

var _ FS = Disk{}

// A diskFile is a file descriptor.
type diskFile int

// Open implements FS.
func (Disk) Open(path string, flags int) (File, error) {
	if flags&unix.O_DIRECTORY == 0 {
		// The file may be replaced after Lstat: do not block on a FIFO, or follow a link.
		flags |= unix.O_NONBLOCK | unix.O_NOFOLLOW
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			return nil, &os.PathError{Op: "open", Path: path, Err: Irregular(KindOf(info.Mode()))}
		}
	}
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		return diskFile(fd), nil
	}
}

// List implements FS.
func (Disk) List(dir string) ([]FileInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := make([]FileInfo, 0, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // removed in the meantime
		}
		if err != nil {
			return nil, err
		}
		files = append(files, fileInfo(info))
	}
	return files, nil
}

// Stat implements FS.
func (Disk) Stat(path string) (FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return FileInfo{}, err
	}
	return fileInfo(info), nil
}

// Mkdir implements FS.
func (Disk) Mkdir(dir string) error { return os.MkdirAll(dir, 0o700) }

// Rename implements FS.
func (Disk) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FS.
func (Disk) Remove(path string) error { return os.Remove(path) }

// SyncDir implements FS.
func (Disk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), writable(int(d.Fd())), d.Close())
}

// writable returns EROFS if the file system has become read-only after the file was
// opened. ext4 then writes nothing, but its fsync succeeds.
func writable(fd int) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if st.Flags&unix.ST_RDONLY != 0 {
		return os.NewSyscallError("fdatasync", unix.EROFS)
	}
	return nil
}

func (f diskFile) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := unix.Pread(int(f), p[n:], off+int64(n))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return n, os.NewSyscallError("pread", err)
		}
		if m == 0 {
			return n, io.EOF
		}
		n += m
	}
	return n, nil
}

func (f diskFile) WriteAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := unix.Pwrite(int(f), p[n:], off+int64(n))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return n, os.NewSyscallError("pwrite", err)
		}
		n += m
	}
	return n, nil
}

func (f diskFile) Truncate(size int64) error {
	return os.NewSyscallError("ftruncate", unix.Ftruncate(int(f), size))
}

func (f diskFile) Sync() error {
	for {
		err := unix.Fdatasync(int(f))
		if err == nil {
			return writable(int(f))
		}
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

func (f diskFile) Stat() (FileInfo, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f), &st)
	return FileInfo{Bytes: st.Size, ModTime: time.Unix(st.Mtim.Unix()), ID: FileID{st.Dev, st.Ino}}, os.NewSyscallError("fstat", err)
}

func (f diskFile) Dup() (File, error) {
	fd, err := unix.FcntlInt(uintptr(f), unix.F_DUPFD_CLOEXEC, 0)
	return diskFile(fd), os.NewSyscallError("fcntl", err)
}

func (f diskFile) Path() string { return fmt.Sprintf("/proc/self/fd/%d", int(f)) }

func (f diskFile) Lock() error {
	return os.NewSyscallError("flock", unix.Flock(int(f), unix.LOCK_EX|unix.LOCK_NB))
}

func (f diskFile) Close() error { return os.NewSyscallError("close", unix.Close(int(f))) }
