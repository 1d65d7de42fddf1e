// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// An FS is what the journal needs of a file system. It is as small as it is so
// that a test can fake all of it, and record each step.
type FS interface {
	Open(path string, flags int) (File, error) // flags as of open(2); a new file has mode 0600
	List(dir string) ([]FileInfo, error)
	Mkdir(dir string) error // with its parents, mode 0700; no error when it is there
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(dir string) error
}

// A File is an open file of an FS. All positions are given, so that several
// goroutines can share one.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error // of data and size, as fdatasync(2)
	Size() (int64, error)
	Lock() error // exclusive, without waiting: unix.EWOULDBLOCK when another has it
	Close() error
}

// FileInfo describes a regular file in a directory.
type FileInfo struct {
	Name    string
	Bytes   int64
	ModTime time.Time
	Dir     bool
}

// unixFS is the machine's file system.
type unixFS struct{}

type unixFile int

func (unixFS) Open(path string, flags int) (File, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		return unixFile(fd), nil
	}
}

func (unixFS) List(dir string) ([]FileInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := make([]FileInfo, 0, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // removed since
		}
		if err != nil {
			return nil, err
		}
		files = append(files, FileInfo{Name: e.Name(), Bytes: info.Size(), ModTime: info.ModTime(), Dir: e.IsDir()})
	}
	return files, nil
}

func (unixFS) Mkdir(dir string) error       { return os.MkdirAll(dir, 0o700) }
func (unixFS) Rename(from, to string) error { return os.Rename(from, to) }
func (unixFS) Remove(path string) error     { return os.Remove(path) }

func (unixFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), writable(int(d.Fd())), d.Close())
}

// writable returns EROFS when the file system has become read-only under an open
// file. ext4 then writes nothing, and its fsync succeeds all the same.
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

func (f unixFile) ReadAt(p []byte, off int64) (n int, err error) {
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

func (f unixFile) WriteAt(p []byte, off int64) (n int, err error) {
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

func (f unixFile) Truncate(size int64) error {
	return os.NewSyscallError("ftruncate", unix.Ftruncate(int(f), size))
}

func (f unixFile) Sync() error {
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

func (f unixFile) Size() (int64, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f), &st)
	return st.Size, os.NewSyscallError("fstat", err)
}

func (f unixFile) Lock() error {
	return os.NewSyscallError("flock", unix.Flock(int(f), unix.LOCK_EX|unix.LOCK_NB))
}

func (f unixFile) Close() error { return os.NewSyscallError("close", unix.Close(int(f))) }
