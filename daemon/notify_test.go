// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSystemdIsAskedToWait: a start, a reload and a drain may exceed the timeouts of the unit, so
// the daemon extends them.
func TestSystemdIsAskedToWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	names := make(chan []string)
	go func() { names <- namesUntil(manager, "END") }()
	const yaml = listenAnywhere + "shutdown: {drain: 50ms}\nsinks: [{name: out, stdout: {}}]\n"
	r := startReloadable(t, yaml)
	r.stdout.mu.Lock() // like a pipe without a reader
	defer r.stdout.mu.Unlock()
	r.kernel.event("x")
	r.mustReload(t, yaml)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	end, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	if _, err := end.Write([]byte("END")); err != nil {
		t.Fatal(err)
	}
	got := <-names
	want := []string{"EXTEND_TIMEOUT_USEC", "READY", "RELOADING", "EXTEND_TIMEOUT_USEC", "READY", "STOPPING", "EXTEND_TIMEOUT_USEC"}
	if !slices.Equal(got, want) {
		t.Errorf("messages %q, want %q", got, want)
	}
}

// namesUntil reads messages up to the message end, and returns the first variable of each,
// except STATUS.
func namesUntil(manager *net.UnixConn, end string) (names []string) {
	for buf := make([]byte, 4096); ; {
		n, err := manager.Read(buf)
		if err != nil {
			return append(names, err.Error())
		}
		switch name, _, _ := strings.Cut(string(buf[:n]), "="); name {
		case end:
			return names
		case "STATUS":
		default:
			names = append(names, name)
		}
	}
}
