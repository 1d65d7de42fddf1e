// SPDX-License-Identifier: Apache-2.0

package simhost

import "os"

// Replace replaces a file. A reader never finds a part of it.
func Replace(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
