// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrOutside is wrapped by the error of a secret that only the service has: a
// credential or an environment variable, looked up by another process.
var ErrOutside = errors.New("only the service can tell")

// An outsideError has the text of err and wraps ErrOutside.
type outsideError struct{ err error }

func (e outsideError) Error() string        { return e.err.Error() }
func (e outsideError) Is(target error) bool { return target == ErrOutside }
func (e outsideError) Unwrap() error        { return e.err }

// Check returns why this process cannot read the secret. The error wraps ErrOutside or
// fs.ErrPermission when the service may be able to.
func (s Source) Check() error {
	if s.IsZero() {
		return nil
	}
	_, err := s.Read()
	if err != nil && s.env != "" {
		return outsideError{err}
	}
	return err
}

// Exposed says whether everybody on the machine may read the secret where it is: a file
// that others may read, in directories that others may pass.
func (s Source) Exposed() bool {
	path, err := filepath.EvalSymlinks(s.file)
	if s.file == "" || err != nil || !othersMay(path, 0o004) {
		return false
	}
	for path != "/" {
		if path = filepath.Dir(path); !othersMay(path, 0o001) {
			return false
		}
	}
	return true
}

func othersMay(path string, do fs.FileMode) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&do != 0
}
