// SPDX-License-Identifier: Apache-2.0

// Package realserver runs real servers, such as brokers, for tests.
package realserver

import (
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/syncbuffer"
)

// A Spec describes a server.
type Spec struct {
	Program string // name, or absolute path
	Args    []string
	Env     []string     // in addition to the environment of the test
	Dir     string       // working directory; empty: that of the test
	Ready   func() error // returns nil when the server accepts clients; nil: at once
	User    string       // runs the server if the test runs as root; empty: the user of the test
}

// A Server is a process and its children. Its methods must be called from the goroutine of the test.
type Server struct {
	t       testing.TB
	spec    Spec
	path    string
	log     syncbuffer.Buffer
	process *process // nil if the server does not run
}

// A process is one run of a server.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed after the end
}

// Start starts a server and waits until it is ready. It skips the test if the program is not
// installed, or fails it if CI is set. The server is killed when the test ends, and its output is
// logged if the test has failed.
func Start(t testing.TB, spec Spec) *Server {
	t.Helper()
	s := &Server{t: t, spec: spec, path: sinktest.Program(t, spec.Program)}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", spec.Program, tail(s.log.String()))
		}
	})
	s.Restart()
	return s
}

// tail returns the end of a log.
func tail(log string) string {
	const most = 16 << 10
	if len(log) <= most {
		return log
	}
	return "[...]" + log[len(log)-most:]
}

// Restart starts the server again and waits until it is ready. A server that runs is stopped first.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.start()
	poll.UntilNil(s.t, s.spec.Program+" is ready", func() error {
		if !s.Running() {
			s.t.Fatalf("%s has ended: %v\n%s", s.spec.Program, s.process.cmd.ProcessState, tail(s.log.String()))
		}
		if s.spec.Ready == nil {
			return nil
		}
		return s.spec.Ready()
	})
}

func (s *Server) start() {
	s.t.Helper()
	cmd := exec.Command(s.path, s.spec.Args...)
	cmd.Dir = s.spec.Dir
	cmd.Env = append(os.Environ(), s.spec.Env...)
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	// The kernel also ends the server if the test is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	s.changeUser(cmd)
	p := &process{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		s.t.Fatalf("start %s: %v", s.spec.Program, err)
	}
	s.process = p
}

// run starts the process and waits for its end, on one thread: the kernel sends Pdeathsig when the
// thread ends that has started the process.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // the status is in ProcessState
		close(p.ended)
	}
}

func (s *Server) changeUser(cmd *exec.Cmd) {
	s.t.Helper()
	if s.spec.User == "" || os.Getuid() != 0 {
		return
	}
	u, err := user.Lookup(s.spec.User)
	if err != nil {
		s.t.Fatal(err)
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	if uidErr != nil || gidErr != nil {
		s.t.Fatalf("user %s has the ids %q and %q", s.spec.User, u.Uid, u.Gid)
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// Running reports whether the server runs.
func (s *Server) Running() bool {
	if s.process == nil {
		return false
	}
	select {
	case <-s.process.ended:
		return false
	default:
		return true
	}
}

// Pid returns the id of the process, which is also that of its group; 0 if the server was stopped.
func (s *Server) Pid() int {
	if s.process == nil {
		return 0
	}
	return s.process.cmd.Process.Pid
}

// Log returns the output of all runs of the server.
func (s *Server) Log() string { return s.log.String() }

// LogContains reports whether the server has logged text.
func (s *Server) LogContains(text string) bool { return strings.Contains(s.Log(), text) }
