// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An FS is what the journal needs of a file system. It is as small as it is so
// that a test can fake all of it, and record each step.
type FS interface {
	// Open opens a regular file; with O_DIRECTORY a directory. What is neither is
	// ErrIrregular. Flags are those of open(2); a new file has mode 0600.
	Open(path string, flags int) (File, error)
	List(dir string) ([]FileInfo, error) // sorted by name
	Stat(path string) (FileInfo, error)
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
	Stat() (FileInfo, error)
	Lock() error        // exclusive, without waiting: unix.EWOULDBLOCK when another has it
	Dup() (File, error) // another descriptor of the same file
	Path() string       // leads to the file, or directory, even when its name does not any more
	Close() error
}

// FileInfo describes a file.
type FileInfo struct {
	Name    string
	Bytes   int64
	ModTime time.Time
	Kind    string // what it is in place of a regular file; "" for one
	ID      FileID
}

// A FileID tells a file from all others, whatever its name.
type FileID struct{ Dev, Ino uint64 }

// ErrIrregular is wrapped by the error for what is no regular file. Such a file is
// never opened: a FIFO would block, and a device may act on it.
var ErrIrregular = errors.New("not a regular file")

const kindDirectory = "directory"

func irregular(kind string) error { return fmt.Errorf("%w but a %s", ErrIrregular, kind) }

// kindOf names what is no regular file.
func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return ""
	case mode.IsDir():
		return kindDirectory
	case mode&fs.ModeSymlink != 0:
		return "symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "FIFO"
	case mode&fs.ModeSocket != 0:
		return "socket"
	}
	return "device"
}

func fileInfo(info fs.FileInfo) FileInfo {
	f := FileInfo{Name: info.Name(), Bytes: info.Size(), ModTime: info.ModTime(), Kind: kindOf(info.Mode())}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.ID = FileID{st.Dev, st.Ino}
	}
	return f
}

// unixFS is the machine's file system.
type unixFS struct{}

type unixFile int

func (unixFS) Open(path string, flags int) (File, error) {
	if flags&unix.O_DIRECTORY == 0 {
		// Should it become something else since: neither wait for it nor follow it.
		flags |= unix.O_NONBLOCK | unix.O_NOFOLLOW
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			return nil, &os.PathError{Op: "open", Path: path, Err: irregular(kindOf(info.Mode()))}
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
		files = append(files, fileInfo(info))
	}
	return files, nil
}

func (unixFS) Stat(path string) (FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return FileInfo{}, err
	}
	return fileInfo(info), nil
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

func (f unixFile) Stat() (FileInfo, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f), &st)
	return FileInfo{Bytes: st.Size, ModTime: time.Unix(st.Mtim.Unix()), ID: FileID{st.Dev, st.Ino}}, os.NewSyscallError("fstat", err)
}

func (f unixFile) Dup() (File, error) {
	fd, err := unix.FcntlInt(uintptr(f), unix.F_DUPFD_CLOEXEC, 0)
	return unixFile(fd), os.NewSyscallError("fcntl", err)
}

func (f unixFile) Path() string { return fmt.Sprintf("/proc/self/fd/%d", int(f)) }

func (f unixFile) Lock() error {
	return os.NewSyscallError("flock", unix.Flock(int(f), unix.LOCK_EX|unix.LOCK_NB))
}

func (f unixFile) Close() error { return os.NewSyscallError("close", unix.Close(int(f))) }
