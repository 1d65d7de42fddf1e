// SPDX-License-Identifier: Apache-2.0

package realserver

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/genltestd/genltestd/internal/poll"
)

// Kill ends the server as a crash does, with all its children, and waits for the end. It does
// nothing if the server does not run.
func (s *Server) Kill() {
	s.t.Helper()
	s.end(syscall.SIGKILL)
}

// Stop asks the server and its children to end, and waits for their end. It does nothing if the
// server does not run.
func (s *Server) Stop() {
	s.t.Helper()
	if s.process != nil {
		s.Signal(syscall.SIGCONT) // it may be frozen
	}
	s.end(syscall.SIGTERM)
}

func (s *Server) end(signal syscall.Signal) {
	s.t.Helper()
	if s.process == nil {
		return
	}
	pid := s.Pid()
	s.Signal(signal)
	poll.Until(s.t, s.spec.Program+" has ended", func() bool { return !s.Running() && len(members(pid)) == 0 })
	s.process = nil
}

// Signal sends a signal to the server and its children. Many servers read their files again after
// SIGHUP.
func (s *Server) Signal(signal syscall.Signal) {
	s.t.Helper()
	if s.process == nil {
		s.t.Fatalf("%s does not run", s.spec.Program)
	}
	_ = syscall.Kill(-s.Pid(), signal) // the group may have ended
}

// Freeze stops the server without an end: its connections stay open, and it does not answer. It
// returns when no thread of the server runs.
func (s *Server) Freeze() {
	s.t.Helper()
	s.Signal(syscall.SIGSTOP)
	poll.UntilNil(s.t, s.spec.Program+" is frozen", func() error {
		for _, pid := range members(s.Pid()) {
			if err := frozen(pid); err != nil {
				return err
			}
		}
		return nil
	})
}

// Thaw continues a frozen server.
func (s *Server) Thaw() {
	s.t.Helper()
	s.Signal(syscall.SIGCONT)
}

// members returns the processes of a group that have not ended.
func members(group int) (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended in the meantime
		}
		// PID (NAME) STATE PARENT GROUP; the name may contain spaces and brackets.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) < 3 || string(fields[2]) != strconv.Itoa(group) || string(fields[0]) == "Z" || string(fields[0]) == "X" {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// frozen returns nil if all threads of a process are stopped.
func frozen(pid int) error {
	states, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, path := range states {
		if text, err := os.ReadFile(path); err == nil && !bytes.Contains(text, []byte("State:\tT")) {
			return fmt.Errorf("a thread of process %d runs", pid)
		}
	}
	return nil
}
