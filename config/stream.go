// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"regexp"
)

var streamPath = regexp.MustCompile(`^(/dev/stdin|/dev/fd/[0-9]+|/proc/self/fd/[0-9]+)$`)

// IsStream reports whether path names an open descriptor of this process that is a pipe,
// a socket or a terminal, such as /dev/stdin. Such a file can be read only once.
func IsStream(path string) bool {
	info, err := os.Stat(path)
	return streamPath.MatchString(path) && err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// isNullDevice reports whether a file is /dev/null. A drop-in that is linked to it is empty, as
// with systemd.
func isNullDevice(info os.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}
