// SPDX-License-Identifier: Apache-2.0

package sinktest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Program returns the path of a program that the test runs. It searches PATH, /usr/sbin and the
// servers of packaging/servers/install. If it is not installed, the test is skipped, or fails if
// CI is set: everything has to run there.
func Program(t testing.TB, name string) (path string) {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin", builtServers()} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

func builtServers() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "/usr/sbin" // without HOME nothing was built
	}
	return filepath.Join(cache, "genltestd/servers/bin")
}
