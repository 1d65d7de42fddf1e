// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// addUsers creates a user who is in no group of the daemon, one who may read, and an operator, as
// docs/genltestctl.md describes it.
func addUsers(t *testing.T) {
	t.Helper()
	const file = "/run/sysusers.d/test.conf"
	command(t, "mkdir", "-p", "/run/sysusers.d")
	write(t, file, `g genltest-operators
u stranger
u reader
m reader genltestd
u operator
m operator genltestd
m operator genltest-operators
`)
	command(t, "systemd-sysusers", file)
}

// as runs genltestctl as a user, and returns its output and exit status.
func as(t *testing.T, user string, args ...string) (output string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "setpriv",
		slices.Concat([]string{"--reuid=" + user, "--regid=" + user, "--init-groups", "genltestctl"}, args)...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestOtherUsersReadOrChangeWhatTheyMay(t *testing.T) {
	u := start(t, "control: {operator_group: genltest-operators}\n"+fileSink, "")
	addUsers(t)
	u.eventually("health", func() bool { _, status := as(t, "root", "status"); return status == 0 })
	const denied = 77
	reads := [][]string{
		{"status"}, {"config", "show"}, {"config", "diff"}, {"log-level"}, {"dlq", "list"}, {"tail", "--no-follow"},
	}
	changes := [][]string{
		{"reload"},
		{"log-level", "debug"},
		{"sink", "pause", "archive"},
		{"sink", "resume", "archive"},
		{"sink", "retry", "archive"},
		{"sink", "test", "archive"},
		{"sink", "skip", "--yes", "archive"},
		{"dlq", "drop", "archive", "--all", "--yes"},
		{"dlq", "replay", "archive", "--all"},
	}
	for _, user := range []struct {
		name         string
		read, change int // expected exit status
	}{{"root", 0, 0}, {"operator", 0, 0}, {"reader", 0, denied}, {"stranger", denied, denied}} {
		for i, args := range slices.Concat(reads, changes) {
			want := user.read
			if i >= len(reads) {
				want = user.change
			}
			out, status := as(t, user.name, args...)
			if status != want || want == denied && !strings.Contains(out, "permission denied") {
				t.Errorf("%s: genltestctl %s: status %d, want %d\n%s", user.name, strings.Join(args, " "), status, want, out)
			}
		}
	}
	if out, _ := as(t, "reader", "reload"); !strings.Contains(out, "usermod -aG genltest-operators reader") {
		t.Errorf("the remedy is missing: %s", out)
	}
	log := u.journal("-o", "cat")
	for _, line := range []string{
		"refused a request of a client that is not an operator", "user=reader", "an operator paused a sink", "user=operator",
	} {
		if !strings.Contains(log, line) {
			t.Errorf("the log does not contain %q\n%s", line, log)
		}
	}
}
