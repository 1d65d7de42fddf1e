// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/genltestd/genltestd/config/value"
)

// ErrOutside is wrapped by the error for a secret that only the service can read: a
// credential or an environment variable, when another process looks it up.
var ErrOutside = errors.New("only the service can read it")

// An outsideError has the text of err and wraps both err and ErrOutside.
type outsideError struct{ err error }

func (e outsideError) Error() string        { return e.err.Error() }
func (e outsideError) Is(target error) bool { return target == ErrOutside }
func (e outsideError) Unwrap() error        { return e.err }

// Check returns the secret, which is empty only if it is not configured, or why this process
// cannot read it. If the service may be able to read it, the error wraps ErrOutside or
// fs.ErrPermission.
func Check(s value.Secret) (string, error) {
	if s.IsZero() {
		return "", nil
	}
	text, err := Read(s)
	if err != nil && s.Env != "" {
		return "", outsideError{err}
	}
	return text, err
}

// Exposed reports whether all users of the machine can read a file: it is readable by others,
// and its directories are searchable by others. An empty path is not a file.
func Exposed(file string) bool {
	path, err := filepath.EvalSymlinks(file)
	if file == "" || err != nil || !othersMay(path, 0o004) {
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
