// SPDX-License-Identifier: Apache-2.0

// Package cmdtest runs one of our commands for its tests: the test binary is the
// command, so exit statuses, signals and streams are the real ones, and nothing is
// built twice.
package cmdtest

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// variable is set where the test binary runs as the command.
const variable = "GENLTEST_COMMAND"

// Main is the body of TestMain. It calls the command's main if Command has started the process.
func Main(m *testing.M, main func()) {
	if os.Getenv(variable) != "1" {
		os.Exit(m.Run())
	}
	main()
	os.Exit(0)
}

// Command returns the command with arguments, not started. The end of the test kills it.
func Command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), variable+"=1")
	return cmd
}

// Run runs a command to its end, with any exit status. It returns the output of the streams
// that cmd does not redirect.
func Run(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &errs
	}
	_ = cmd.Run() // the caller receives the exit status
	if cmd.ProcessState == nil {
		t.Fatalf("%s cannot be run", cmd)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}
