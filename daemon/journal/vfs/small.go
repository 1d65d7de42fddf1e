// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// TempSuffix ends the name of a file that is being written. A crash may leave such a file.
const TempSuffix = ".tmp"

// IsFull reports whether err means that the disk or the quota is full.
func IsFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// ReadFile returns the first limit bytes of a file, or all of a shorter file.
func ReadFile(fs FS, path string, limit int) ([]byte, error) {
	f, err := fs.Open(path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	b := make([]byte, limit)
	n, err := f.ReadAt(b, 0)
	f.Close() // nothing was written
	if n < limit && errors.Is(err, io.EOF) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b[:n], nil
}

// WriteFile creates or replaces a small file atomically and durably.
func WriteFile(fs FS, path string, b []byte) error {
	f, err := fs.Open(path+TempSuffix, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = fs.Rename(path+TempSuffix, path)
	}
	if err == nil {
		err = fs.SyncDir(filepath.Dir(path))
	}
	return err
}

// RemoveSame removes a file, unless another file has its name since f was listed.
func RemoveSame(fs FS, path string, f FileInfo) (removed bool, err error) {
	if f.Kind != "" {
		return false, &os.PathError{Op: "remove", Path: path, Err: Irregular(f.Kind)}
	}
	now, err := fs.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && now.ID != f.ID {
		return false, nil
	}
	if err == nil {
		err = fs.Remove(path)
	}
	return err == nil, err
}
