// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// programVariable names the daemon's program, in the process that inNamespace starts.
const programVariable = "GENLTEST_PROGRAM"

// inNamespace runs a test in another process, in a network namespace without other sources of
// events.
func inNamespace(t *testing.T, test func(t *testing.T)) {
	if os.Getenv(programVariable) != "" {
		enableLoopback(t)
		test(t)
		return
	}
	program := filepath.Join(t.TempDir(), "genltestd")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, "../../cmd/genltestd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	args := []string{"-test.run", "^" + t.Name() + "$", "-test.v", "-test.timeout", "10m"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), programVariable+"="+program)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	switch text := string(out); {
	case errors.Is(err, syscall.EPERM):
		t.Skip("creating a network namespace requires CAP_SYS_ADMIN")
	case err != nil:
		t.Fatalf("%v\n%s", err, text)
	case strings.Contains(text, "--- SKIP: "):
		t.Skip(text)
	default:
		t.Log(text)
	}
}

// enableLoopback starts the device lo, over which the daemon serves its pages.
func enableLoopback(t *testing.T) {
	t.Helper()
	newRequester(t, unix.NETLINK_ROUTE).mustExecute(t, linkRequest(unix.RTM_NEWLINK, 0, true, func(a *netlink.AttributeEncoder) {
		a.String(unix.IFLA_IFNAME, "lo")
	}))
}
