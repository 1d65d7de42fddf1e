// SPDX-License-Identifier: Apache-2.0

// Package statefile reads and replaces the small files of the state directory.
package statefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/readfile"
)

// MaxBytes is the maximum size of a file that Read accepts. The daemon writes far less.
const MaxBytes = 4 << 20

// Files are the operations on state files. Tests replace them to inject errors.
type Files interface {
	// Read returns the content of a regular file. The error wraps fs.ErrNotExist only if the
	// file does not exist. After any other error the content is unknown.
	Read(path string) ([]byte, error)
	// Replace writes a file durably. After an error the file contains its old or its new
	// content.
	Replace(path string, content []byte) error
	// SetAside renames a damaged file to path + ".damaged", so that an operator can examine
	// it. It replaces an earlier file of that name.
	SetAside(path string) error
	// Remove removes a file. A file that does not exist is not an error.
	Remove(path string) error
}

// Disk implements Files with the file system of the machine.
type Disk struct{}

var _ Files = Disk{}

// Read implements Files. It never blocks on a FIFO.
func (Disk) Read(path string) ([]byte, error) {
	content, err := readfile.Prefix(path, MaxBytes+1)
	switch {
	case errors.Is(err, readfile.ErrNotRegular):
		return nil, fmt.Errorf("%w; move it away", err)
	case err != nil:
		return nil, err
	case len(content) > MaxBytes:
		return nil, &fs.PathError{
			Op: "read", Path: path,
			Err: fmt.Errorf("larger than %d bytes, so not written by this program; move it away", MaxBytes),
		}
	}
	return content, nil
}

const tempSuffix = ".tmp"

// Replace implements Files.
func (Disk) Replace(path string, content []byte) error {
	temp := path + tempSuffix
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp) // a leftover is truncated by the next Replace
		return err
	}
	return syncDir(filepath.Dir(path))
}

// SetAside implements Files.
func (Disk) SetAside(path string) error { return os.Rename(path, path+".damaged") }

// Remove implements Files.
func (Disk) Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
