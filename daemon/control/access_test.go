// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/unixsocket"
	"github.com/genltestd/genltestd/internal/syncbuffer"
)

// as returns a request of a client.
func as(r *http.Request, p unixsocket.Peer) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), peerKey{}, p))
}

// stranger is not the user of a test.
const stranger = 54321

func TestOperators(t *testing.T) {
	for name, test := range map[string]struct {
		group string
		peer  *unixsocket.Peer
		part  string // of the error; empty without one
	}{
		"root":              {"", &unixsocket.Peer{UID: 0}, ""},
		"the daemon's user": {"", &unixsocket.Peer{UID: uint32(os.Geteuid())}, ""},
		"no group":          {"", &unixsocket.Peer{UID: stranger}, "control.operator_group is empty"},
		"missing group":     {"no-such-group", &unixsocket.Peer{UID: stranger}, "groupadd --system no-such-group"},
		"main group":        {"root", &unixsocket.Peer{UID: stranger, Groups: []uint32{0}}, ""},
		"other group":       {"root", &unixsocket.Peer{UID: stranger, Groups: []uint32{7, 0}}, ""},
		"not a member":      {"root", &unixsocket.Peer{UID: stranger, Groups: []uint32{7, 8}}, "usermod -aG root 54321"},
		"unknown":           {"root", nil, "did not report the user"},
	} {
		ctx := t.Context()
		if test.peer != nil {
			ctx = context.WithValue(ctx, peerKey{}, *test.peer)
		}
		err := newAccess(func() string { return test.group }, slog.New(slog.DiscardHandler)).check(ctx)
		if (err == nil) != (test.part == "") || err != nil && !strings.Contains(err.Error(), test.part) {
			t.Errorf("%s: %v, want %q", name, err, test.part)
		}
	}
}

// operated is ten, with an operator group.
type operated struct {
	ten
	group string
}

func (o operated) Operators() string { return o.group }

// TestOtherUsers sends requests as other users. It requires root.
func TestOtherUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("requires root to become another user")
	}
	operators, err := user.LookupGroup("daemon")
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(operators.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	var log syncbuffer.Buffer
	path := listenLogged(t, operated{group: "daemon"}, slog.New(slog.NewTextHandler(&log, nil)))
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	program := childProgram(t, filepath.Dir(path))
	for name, test := range map[string]struct {
		credential syscall.Credential
		want       string
	}{
		"member of the socket's group": {syscall.Credential{Uid: stranger, Gid: 0}, "read: <nil>; change: 403"},
		"operator":                     {syscall.Credential{Uid: stranger, Gid: 0, Groups: []uint32{uint32(gid)}}, "read: <nil>; change: 200"},
		"nobody":                       {syscall.Credential{Uid: stranger, Gid: stranger}, "permission denied"},
	} {
		cmd := exec.Command(program, "-test.run=^TestAsChild$")
		cmd.Env = []string{childVariable + "=" + path}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &test.credential}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), test.want) {
			t.Errorf("%s: %v: %s, want %q", name, err, out, test.want)
		}
	}
	for _, want := range []string{
		`msg="refused a request of a client that is not an operator" user=54321 uid=54321 pid=`, "path=/v1/reload",
		`msg="an operator requested a reload of the configuration" user=54321 uid=54321 pid=`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not contain %s:\n%s", want, &log)
		}
	}
}

const childVariable = "GENLTESTD_TEST_SOCKET"

// childProgram copies the test's program to where other users can run it.
func childProgram(t *testing.T, dir string) (path string) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/exe")
	path = filepath.Join(dir, "child")
	if err == nil {
		err = os.WriteFile(path, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAsChild is the client of TestOtherUsers.
func TestAsChild(t *testing.T) {
	path := os.Getenv(childVariable)
	if path == "" {
		t.Skip("runs in a child process")
	}
	client := api.NewClient(path)
	read := client.Boxes(t.Context(), func(api.Box) error { return nil })
	status := http.StatusOK
	_, err := client.Reload(t.Context())
	var refused *api.Error
	if errors.As(err, &refused) {
		status = refused.Status
	} else if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("read: %v; change: %d\n", read, status)
}
