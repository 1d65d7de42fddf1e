// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/genltestd/genltestd/packaging/canary"
)

// The shell shows that this machine writes core files, and that the search finds a text of the
// memory in them.
func TestCoreFilesContainNoSecret(t *testing.T) {
	c := canary.New("bearer")
	status, core, _ := abortWhenReady(t,
		exec.CommandContext(t.Context(), "sh", "-c",
			"C="+c.Word()+"; echo listening component=http; while :; do sleep 0.1; done"))
	leaks := canary.NewFinder(c).Find(core)
	if !status.CoreDump() || core != nil && len(leaks) == 0 {
		if os.Getenv("CI") == "" {
			t.Skip("this machine writes no core files: ", status)
		}
		t.Fatalf("a shell that is aborted leaves no core file with what was in its memory: %#x, %d bytes, %v",
			status, len(core), leaks)
	}

	config := write(t, "http: {listen: \"127.0.0.1:0\"}\n"+
		"sinks:\n- name: hook\n  webhook: {url: 'https://example.org/', bearer: "+c.Word()+"}\n")
	daemon := command(t, "--config", config)
	daemon.Env = append(daemon.Env, "GOTRACEBACK=crash") // without it Go ends in its own way
	status, core, output := abortWhenReady(t, daemon)
	if status.CoreDump() || core != nil {
		t.Errorf("the daemon leaves a core file: %#x, %d bytes, %v", status, len(core), canary.NewFinder(c).Find(core))
	}
	if status.Signal() != syscall.SIGABRT {
		t.Errorf("the daemon was not aborted: %#x", status)
	}
	if leaks := canary.NewFinder(c).Find(output); leaks != nil || !bytes.Contains(output, []byte("goroutine 1")) {
		t.Errorf("its last words: %v in %d bytes", leaks, len(output))
	}
}

// abortWhenReady starts a program with the highest permitted limit of core files, waits for it to
// serve, and aborts it. It returns the core file, nil without one, and the program's output.
func abortWhenReady(t *testing.T, cmd *exec.Cmd) (status syscall.WaitStatus, core, output []byte) {
	t.Helper()
	cmd.Args = append([]string{"sh", "-c", `ulimit -c "$(ulimit -H -c)"; exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.Dir = t.TempDir()
	var out readyOutput
	out.seen = make(chan struct{})
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-out.seen:
	case <-time.After(30 * time.Second):
		t.Error("does not serve")
	}
	cmd.Process.Signal(syscall.SIGABRT) // seen in the status
	cmd.Wait()                          // seen in the status
	cores, err := filepath.Glob(filepath.Join(cmd.Dir, "*core*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(cores) > 0 {
		if core, err = os.ReadFile(cores[0]); err != nil {
			t.Fatal(err)
		}
	}
	return cmd.ProcessState.Sys().(syscall.WaitStatus), core, out.text.Bytes()
}

// readyOutput is an output that recognizes the line of a daemon that serves.
type readyOutput struct {
	text      bytes.Buffer
	seen      chan struct{}
	signalled bool
}

func (s *readyOutput) Write(p []byte) (int, error) {
	s.text.Write(p)
	if !s.signalled && bytes.Contains(s.text.Bytes(), []byte("listening component=http")) {
		close(s.seen)
		s.signalled = true
	}
	return len(p), nil
}
