// SPDX-License-Identifier: Apache-2.0

package journald

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

const (
	program = "/lib/systemd/systemd-journald"
	// Runs in its own namespaces: it does not see the machine's files in /run, and its
	// socket's queue has the kernel's default length. It ends with the test's process,
	// which holds the other end of standard input.
	script = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
cat >/run/systemd/journald.conf.d/test.conf <<END
[Journal]
Storage=volatile
ReadKMsg=no
Audit=no
RateLimitIntervalSec=0
RuntimeMaxUse=1G
RuntimeKeepFree=1M
END
while :; do
	` + program + ` &
	echo $!
	read -r command || :
	kill -CONT $! 2>/dev/null || :
	kill -KILL $!
	wait $! 2>/dev/null || :
	rm -f /run/systemd/journal/socket
	[ "$command" = restart ] || exit 0
	read -r command || exit 0
done`
)

// A server is a real systemd-journald.
type server struct {
	root    string // the server's view of the file system
	process *os.Process
	in      io.Writer
	out     *bufio.Reader
}

func newServer(t *testing.T) *server {
	t.Helper()
	sinktest.Program(t, program)
	if os.Getuid() != 0 {
		t.Skip("only root may mount")
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server's script: %v", err)
		}
	})
	s := &server{root: fmt.Sprintf("/proc/%d/root", cmd.Process.Pid), in: in, out: bufio.NewReader(out)}
	s.awaitStart(t)
	return s
}

// awaitStart waits until journald listens.
func (s *server) awaitStart(t *testing.T) {
	t.Helper()
	var pid int
	if _, err := fmt.Fscanln(s.out, &pid); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.process, err = os.FindProcess(pid); err != nil {
		t.Fatal(err)
	}
	poll.UntilNil(t, "journald listens", func() error {
		_, err := os.Stat(s.socket())
		return err
	})
}

// kill ends journald and its socket; start starts another.
func (s *server) kill(t *testing.T) { s.sendCommand(t, "restart") }

func (s *server) start(t *testing.T) {
	s.sendCommand(t, "")
	s.awaitStart(t)
}

func (s *server) sendCommand(t *testing.T, command string) {
	t.Helper()
	if _, err := fmt.Fprintln(s.in, command); err != nil {
		t.Fatal(err)
	}
}

func (s *server) socket() string { return s.root + "/run/systemd/journal/socket" }

func (s *server) config() *Config {
	return &Config{Socket: s.socket(), Identifier: "test-events", Priority: "info"}
}

// entries returns the entries of the sink in the journal.
func (s *server) entries(t *testing.T) []map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "journalctl", "-D", s.root+"/run/log/journal", "--all", "--no-pager", "-o", "json",
		"SYSLOG_IDENTIFIER=test-events")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return sinktest.ParseJournal(t, out)
}

// exactText returns the exact text of the event of an entry.
func exactText(t *testing.T, entry map[string]string) string {
	t.Helper()
	encoded, ok := entry["GENLTEST_MESSAGE_BASE64"]
	if !ok {
		return entry["MESSAGE"]
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Stored, Break and Repair implement sinktest.Destination. While journald is stopped, its queue fills.
func (s *server) Stored(t *testing.T) (stored []sinktest.StoredEvent) {
	for _, entry := range s.entries(t) {
		stored = append(stored, sinktest.StoredEvent{ID: entry["GENLTEST_ID"], Message: exactText(t, entry)})
	}
	return stored
}

func (s *server) Break(t *testing.T)  { s.signal(t, syscall.SIGSTOP) }
func (s *server) Repair(t *testing.T) { s.signal(t, syscall.SIGCONT) }

func (s *server) signal(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := s.process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}
