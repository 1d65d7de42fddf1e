// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// programVariable names the daemon's program, in the process that runs the tests.
const programVariable = "GENLTEST_PROGRAM"

// TestMain runs the tests in another process, in a network namespace, which isolates them from other
// servers and events.
func TestMain(m *testing.M) {
	if os.Getenv(programVariable) == "" {
		os.Exit(runInNamespace())
	}
	if err := enableLoopback(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// runInNamespace returns the exit status of the tests.
func runInNamespace() int {
	dir, err := os.MkdirTemp("", "genltestd-browser-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "genltestd")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "../../cmd/genltestd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	tests := exec.Command("/proc/self/exe", os.Args[1:]...)
	tests.Env = append(os.Environ(), programVariable+"="+program)
	tests.Stdout, tests.Stderr = os.Stdout, os.Stderr
	tests.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err = tests.Run()
	if errors.Is(err, syscall.EPERM) {
		fmt.Fprintln(os.Stderr, "creating a network namespace requires CAP_SYS_ADMIN")
	} else if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil {
		return 1
	}
	return 0
}

// enableLoopback starts the device lo.
func enableLoopback() error {
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}
