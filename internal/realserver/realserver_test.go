// SPDX-License-Identifier: Apache-2.0

package realserver

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

// The server of these tests is socat, which returns each line. A shell starts it, as the scripts
// of some brokers do.
func startEcho(t *testing.T, before string) (s *Server, address string) {
	t.Helper()
	sinktest.Program(t, "socat")
	address = sinktest.FreeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("%s socat TCP-LISTEN:%s,bind=127.0.0.1,reuseaddr,fork EXEC:cat", before, port)
	s = Start(t, Spec{Program: "sh", Args: []string{"-c", script}, Ready: func() error { return echoes(address, time.Second) }})
	return s, address
}

// echoes makes one exchange through a new connection.
func echoes(address string, limit time.Duration) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(limit))
	fmt.Fprintln(c, "line")
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && line != "line\n" {
		return fmt.Errorf("the reply is %q", line)
	}
	return err
}

func TestKillEndsAllProcesses(t *testing.T) {
	s, address := startEcho(t, "")
	group := s.Pid()
	if n := len(members(group)); n < 2 {
		t.Fatalf("%d processes, want the shell and socat", n)
	}
	s.Kill()
	if s.Running() || len(members(group)) > 0 {
		t.Errorf("after Kill: running %v, processes %v", s.Running(), members(group))
	}
	if err := echoes(address, time.Minute); err == nil {
		t.Error("the server answers after Kill")
	}
	s.Kill() // does nothing
	s.Restart()
	if err := echoes(address, time.Minute); err != nil {
		t.Errorf("after Restart: %v", err)
	}
}

// The shell passes SIGTERM on, as the script of a broker does.
func TestStopWaitsForTheEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stopped")
	s := Start(t, Spec{
		Program: "sh", Args: []string{"-c", `trap 'sleep 0.2; echo done >"$FILE"; exit' TERM; echo started; while :; do sleep 0.05; done`},
		Env: []string{"FILE=" + file},
	})
	poll.Until(t, "the shell has set its trap", func() bool { return s.LogContains("started") })
	s.Stop()
	if text, err := os.ReadFile(file); string(text) != "done\n" {
		t.Errorf("the server wrote %q before its end, %v", text, err)
	}
}

func TestFrozenServerDoesNotAnswer(t *testing.T) {
	s, address := startEcho(t, "")
	s.Freeze()
	if err := echoes(address, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a frozen server: %v, want no answer", err)
	}
	s.Thaw()
	if err := echoes(address, time.Minute); err != nil {
		t.Errorf("after Thaw: %v", err)
	}
	s.Freeze()
	s.Restart()
	if err := echoes(address, time.Minute); err != nil {
		t.Errorf("after Restart of a frozen server: %v", err)
	}
}

func TestServerRunsAsUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can change the user")
	}
	s := Start(t, Spec{Program: "sh", Args: []string{"-c", "id -u; exec sleep 60"}, User: "nobody"})
	poll.Until(t, "the server has written its user", func() bool { return s.LogContains("\n") })
	if id := strings.TrimSpace(s.Log()); id == "0" {
		t.Errorf("the server runs as user %q", id)
	}
}

// fatal records the message that ends a test.
type fatal struct {
	testing.TB
	text string
}

func (f *fatal) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	panic(f)
}

func TestStartReportsAServerThatEnds(t *testing.T) {
	f := &fatal{TB: t}
	defer func() {
		if recover() != any(f) || !strings.Contains(f.text, "exit status 3") || !strings.Contains(f.text, "no disk") {
			t.Errorf("Start reported %q", f.text)
		}
	}()
	Start(f, Spec{
		Program: "sh", Args: []string{"-c", "echo no disk; exit 3"},
		Ready: func() error { return errors.New("not ready") },
	})
	t.Error("Start succeeded")
}

// The parent of the server is the process of the test, so the kernel can end it with the test.
func TestServerIsAChildOfTheTest(t *testing.T) {
	s := Start(t, Spec{Program: "sleep", Args: []string{"60"}})
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	if parent := strings.Fields(string(text))[3]; parent != strconv.Itoa(os.Getpid()) {
		t.Errorf("the parent is %s", parent)
	}
	s.Signal(syscall.SIGHUP)
	poll.Until(t, "the signal ends the server", func() bool { return !s.Running() })
}
