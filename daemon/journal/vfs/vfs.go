// SPDX-License-Identifier: Apache-2.0

// Package vfs is the file system as the journal uses it: an interface that a test can
// replace and record (package memfs), and its implementation for the machine's disk.
package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"time"
)

// An FS is a file system. It contains only the calls that the journal uses, so that a
// test can replace all of them. Its methods are safe for concurrent use.
type FS interface {
	// Open opens a regular file, or a directory if flags contain O_DIRECTORY. The error
	// for any other file wraps ErrIrregular. Flags are those of open(2). A new file has
	// mode 0600.
	Open(path string, flags int) (File, error)
	List(dir string) ([]FileInfo, error) // sorted by name
	Stat(path string) (FileInfo, error)
	Mkdir(dir string) error // with its parents, mode 0700; an existing directory is not an error
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(dir string) error // makes the names in dir durable
}

// A File is an open file of an FS. Each call specifies its offset, so several goroutines
// can share a File.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error // data and size, as fdatasync(2)
	Stat() (FileInfo, error)
	Lock() error        // exclusive; returns unix.EWOULDBLOCK if another process holds the lock
	Dup() (File, error) // another descriptor of the same file
	Path() string       // a path that reaches the file even after it was renamed
	Close() error
}

// FileInfo describes a file.
type FileInfo struct {
	Name    string
	Bytes   int64
	ModTime time.Time
	Kind    string // empty for a regular file, else a name such as KindDirectory
	ID      FileID
}

// A FileID identifies a file, independent of its name.
type FileID struct{ Dev, Ino uint64 }

// ErrIrregular is wrapped by errors about files that are not regular. Such a file is
// never opened: opening a FIFO blocks, and opening a device may have an effect.
var ErrIrregular = errors.New("not a regular file")

// KindDirectory is the Kind of a directory.
const KindDirectory = "directory"

// Irregular returns an error that wraps ErrIrregular and names the kind.
func Irregular(kind string) error { return fmt.Errorf("%w but a %s", ErrIrregular, kind) }

// KindOf returns the Kind of a file with this mode.
func KindOf(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return ""
	case mode.IsDir():
		return KindDirectory
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
	f := FileInfo{Name: info.Name(), Bytes: info.Size(), ModTime: info.ModTime(), Kind: KindOf(info.Mode())}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.ID = FileID{st.Dev, st.Ino}
	}
	return f
}
