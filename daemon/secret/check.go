// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Check says what is wrong and will stay so until somebody acts: a file that is not
// there, or that holds no secret; a credential that the service was not given. What
// only the service can read is left to Doubt.
func (s Source) Check() error {
	doubtful, err := s.look()
	if doubtful {
		return nil
	}
	return err
}

// Doubt says why this process cannot tell whether the service has the secret: it may
// lack the service's credentials, environment and permissions. It is nil for what
// Check can tell. Within the service it is a fault.
func (s Source) Doubt() error {
	doubtful, err := s.look()
	if doubtful {
		return err
	}
	return nil
}

// look reads the secret. When that fails it says whether the service may have better
// luck.
func (s Source) look() (doubtful bool, err error) {
	if s.IsZero() {
		return false, nil
	}
	_, err = s.Read()
	outside := s.credential != "" && os.Getenv("CREDENTIALS_DIRECTORY") == ""
	return err != nil && (outside || s.env != "" || errors.Is(err, fs.ErrPermission)), err
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
