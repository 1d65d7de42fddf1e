// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// store sends a descriptor to the socket, as a daemon does.
func (m *manager) store(t *testing.T, message string, f *os.File) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Sendmsg(fd, []byte(message), unix.UnixRights(int(f.Fd())), &unix.SockaddrUnix{Name: m.socket.Path}, 0); err != nil {
		t.Fatal(err)
	}
}

func TestManagerPassesStoredDescriptorsToTheNextProcess(t *testing.T) {
	m := newManager(t)
	open := func(text string) *os.File {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	events, meter, other := open("events"), open("meter"), open("other")
	m.store(t, "FDSTORE=1\nFDNAME=events\nFDPOLL=0", events)
	m.store(t, "FDSTORE=1\nFDNAME=events\nFDPOLL=0", events) // systemd stores a socket once
	m.store(t, "FDSTORE=1\nFDNAME=other\nFDPOLL=0", other)
	m.store(t, "STATUS=not stored", open("status"))
	m.socket.Send(t, "FDSTOREREMOVE=1\nFDNAME=other")
	m.store(t, "FDSTORE=1\nFDNAME=meter\nFDPOLL=0", meter)
	if diff := cmp.Diff([]string{"events", "meter"}, m.stored(t)); diff != "" {
		t.Errorf("stored (-want +got)\n%s", diff)
	}

	var out strings.Builder
	cmd := exec.Command("sh", "-c", `[ $$ = $LISTEN_PID ] && echo $LISTEN_FDS $LISTEN_FDNAMES $(cat <&3) $(cat <&4)`)
	cmd.Env, cmd.Stdout = os.Environ(), &out
	m.start(t, cmd)
	if err := cmd.Wait(); err != nil || out.String() != "2 events:meter events meter\n" {
		t.Errorf("error %v, output %q", err, out.String())
	}
}

func TestManagerForgetsTheMessagesOfTheProcessBefore(t *testing.T) {
	m := newManager(t)
	m.socket.Send(t, "READY=1")
	cmd := exec.Command("sleep", "60")
	m.start(t, cmd)
	m.socket.Send(t, "STATUS=new")
	m.socket.Send(t, "READY=1")
	m.await(t, "STATUS=new")
	m.await(t, "READY=1")
	cmd.Process.Kill() // Wait follows
	cmd.Wait()         // killed
}
