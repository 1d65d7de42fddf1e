// SPDX-License-Identifier: Apache-2.0

// Package readfile reads files of bounded size. It never blocks on a FIFO and never reads a
// device, unless the caller accepts it.
package readfile

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrNotRegular is wrapped by the error for a directory, FIFO, socket or device.
var ErrNotRegular = errors.New("not a regular file")

// Prefix returns at most limit bytes from the start of the regular file at path. To detect
// a larger file, a caller sets a limit of one byte more than it accepts. The error contains
// the path. It wraps fs.ErrNotExist only if the file does not exist.
func Prefix(path string, limit int64) ([]byte, error) {
	text, _, err := PrefixIf(path, limit, func(fs.FileInfo) bool { return false })
	return text, err
}

// PrefixIf is Prefix for regular files and for those that accept returns true for. It also
// returns the description of the file.
func PrefixIf(path string, limit int64, accept func(fs.FileInfo) bool) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // opening a FIFO does not wait for a writer
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() && !accept(info) {
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	}
	text, err := io.ReadAll(io.LimitReader(f, limit))
	return text, info, err
}
