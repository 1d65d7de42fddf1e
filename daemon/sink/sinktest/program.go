// SPDX-License-Identifier: Apache-2.0

package sinktest

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of a program that the test runs. If it is not installed, the
// test is skipped, or fails if CI is set: everything has to run there.
func Program(t testing.TB, name string) (path string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name) // not in every user's PATH
	}
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("%s is not installed", name)
	default:
		t.Skipf("%s is not installed", name)
	}
	return path
}
