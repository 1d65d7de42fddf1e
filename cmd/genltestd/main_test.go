// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sinks"
)

func TestMain(m *testing.M) { cmdtest.Main(m, main) }

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := cmdtest.Command(t, args...)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET=", "JOURNAL_STREAM=", "STATE_DIRECTORY="+t.TempDir(), "RUNTIME_DIRECTORY="+t.TempDir())
	return cmd
}

func execute(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return cmdtest.Run(t, command(t, args...))
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "genltestd.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandLine(t *testing.T) {
	good := write(t, "sinks:\n- name: out\n  stdout: {}\n")
	bad := write(t, "sinks:\n- name: out\n  stdin: {}\n")
	tests := []struct {
		args           []string
		code           int
		stdout, stderr string // parts; "" means that the stream is empty
	}{
		{[]string{"--help"}, 0, "\nUsage:\n  genltestd [flags]\n", ""},
		{[]string{"-h"}, 0, "\nUsage:\n  genltestd [flags]\n", ""},
		{[]string{"--config", bad, "--help"}, 0, "--config FILE", ""},
		{[]string{"--version"}, 0, "genltestd devel (go", ""},
		{[]string{"-v"}, 0, "genltestd devel (go", ""},
		{[]string{"-v", "--version"}, 0, "genltestd devel (go", ""},
		{[]string{"--version=false", "--config", bad}, 78, "", bad + ":3:3: sinks[0].stdin: unknown key"},
		{[]string{"--nonsense"}, 64, "", "nonsense; see genltestd --help"},
		{[]string{"--config"}, 64, "", "needs an argument: --config; see genltestd --help"},
		{[]string{"start"}, 64, "", `genltestd: unexpected argument "start"; see genltestd --help`},
		{[]string{"help"}, 64, "", `unexpected argument "help"`},
		{[]string{"completion"}, 64, "", `unexpected argument "completion"`},
		{[]string{"--config", good, "start"}, 64, "", `unexpected argument "start"`},
		{[]string{"--config", good, "journal", "verify"}, 66, "", "/journal: no such file or directory"},
		{[]string{"--as", "root"}, 64, "", "--as requires --check-config"},
		{[]string{"--as", "root", "--print-config"}, 64, "", "--as requires --check-config"},
		{[]string{"--test-rules", good, "--test-rules", good}, 64, "", "specify --test-rules only once"},
		{[]string{"--config", good, "--check-config"}, 0, "ok, 1 sink\n", ""},
		{[]string{"--config", bad, "--check-config"}, 78, "", bad + ":3:3: sinks[0].stdin: unknown key"},
		{[]string{"--check-config=maybe"}, 64, "", `"maybe" for "--check-config" flag`},
		{[]string{"--check-config", "--print-config"}, 64, "", "specify only one of --check-config and --print-config"},
		{[]string{"-v", "--check-config"}, 64, "", "specify only one of --check-config and --version"},
		{[]string{"--config", good, "--print-config"}, 0, "sinks:\n  - name: out\n    start: oldest\n", ""},
		{[]string{"--config", bad, "--print-config"}, 78, "", bad + ":3:3: sinks[0].stdin: unknown key"},
		{[]string{"--print-default-config"}, 0, string(config.Reference(sinks.Kinds())), ""},
		{[]string{"--config", bad}, 78, "", bad + ":3:3: sinks[0].stdin: unknown key"},
		{[]string{"--config", "/nonexistent.yaml"}, 78, "", "/nonexistent.yaml: no such file or directory"},
		{[]string{"--config", write(t, "journal: {path: /dev/null/journal}")}, 1, "", "mkdir /dev/null: not a directory"},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			code, stdout, stderr := execute(t, test.args...)
			if code != test.code {
				t.Errorf("exit status %d, want %d", code, test.code)
			}
			for stream, pair := range map[string][2]string{"stdout": {stdout, test.stdout}, "stderr": {stderr, test.stderr}} {
				if got, want := pair[0], pair[1]; !strings.Contains(got, want) || want == "" && got != "" {
					t.Errorf("%s = %q, want %q", stream, got, want)
				}
			}
			if test.code == 78 && strings.Count(stderr, "\n") != 1 {
				t.Errorf("not one line: %q", stderr)
			}
		})
	}
}

// Such a family may be registered later, so the configuration is valid.
func TestCheckWarnsOfAFamilyThatTheKernelDoesNotHave(t *testing.T) {
	file := write(t, "families: [no-such-family]\n")
	code, stdout, stderr := execute(t, "--check-config", "--config", file)
	want := "warning: " + file + `:1:12: families[0].name: the running kernel does not have the family "no-such-family"; `
	if code != exitOK || stdout != file+": ok, 1 sink\n" || !strings.HasPrefix(stderr, want) {
		t.Errorf("status %d, %q, %q; want %q", code, stdout, stderr, want)
	}
}

func TestCheckWarnsOfAMissingOperatorGroup(t *testing.T) {
	file := write(t, "control: {operator_group: no-such-group}\n")
	code, _, stderr := execute(t, "--check-config", "--config", file)
	want := "warning: " + file + ":1:27: control.operator_group: the group no-such-group does not exist"
	if code != exitOK || !strings.HasPrefix(stderr, want) || !strings.Contains(stderr, "groupadd --system no-such-group") {
		t.Errorf("status %d, %q; want %q", code, stderr, want)
	}
}

func TestChecksAndPrintsAllFiles(t *testing.T) {
	dir := t.TempDir()
	main, dropIns := filepath.Join(dir, "g.yaml"), filepath.Join(dir, "g.d")
	if err := os.Mkdir(dropIns, 0o700); err != nil {
		t.Fatal(err)
	}
	put := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(main, "log: {level: warn}\n")
	put(dropIns+"/a.yaml", "sinks: [{name: a, stdout: {}}, {name: b, stdout: {}}]\n")
	put(dropIns+"/b.yaml", "# Nothing.\n")
	code, stdout, stderr := execute(t, "--check-config", "--config", main)
	want := main + ": ok, 0 sinks\n" + dropIns + "/a.yaml: ok, 2 sinks\n" + dropIns + "/b.yaml: ok, 0 sinks\n"
	if code != exitOK || stdout != want || stderr != "" {
		t.Errorf("check: status %d, %q, %q; want %q", code, stdout, stderr, want)
	}
	code, stdout, stderr = execute(t, "--print-config", "--config", main)
	_, sinks, _ := strings.Cut(stdout, "\nsinks:\n")
	if code != exitOK || !strings.Contains(stdout, "level: warn\n") || strings.Count(sinks, "- name: ") != 2 || stderr != "" {
		t.Errorf("print: status %d, %q, %q", code, stdout, stderr)
	}

	put(main, "logs: {level: warn}\n")
	put(dropIns+"/b.yaml", "sinks: [{name: a, file: {path: x}}]\n")
	want = main + ":1:1: logs: unknown key; write \"log\"\n" +
		dropIns + "/b.yaml:1:16: sinks[0].name: \"a\" is taken by sinks[0] of " + dropIns + "/a.yaml (line 1); give each sink its own name\n" +
		dropIns + "/b.yaml:1:32: sinks[0].file.path: \"x\" is not absolute; begin it with /\n"
	for _, flags := range [][]string{{"--check-config"}, {"--print-config"}, {}} {
		code, stdout, stderr = execute(t, append(flags, "--config", main)...)
		if code != exitConfig || stdout != "" || stderr != want {
			t.Errorf("%v: status %d, %q, %q; want %q", flags, code, stdout, stderr, want)
		}
	}

	// A fault that only the daemon can find has a position too.
	put(main, "")
	put(dropIns+"/b.yaml", "sinks: [{name: c, filter: mesage == \"\", stdout: {}}]\n")
	want = dropIns + "/b.yaml:1:27: sinks[0].filter: unknown name mesage; write message\n"
	if code, _, stderr = execute(t, "--check-config", "--config", main); code != exitConfig || stderr != want {
		t.Errorf("a filter: status %d, %q; want %q", code, stderr, want)
	}
}

// A script that stores the output must detect that it is incomplete.
func TestOutputFailure(t *testing.T) {
	good := write(t, "sinks:\n- name: out\n  stdout: {}\n")
	rules := write(t, "- name: a\n  events: [{sinks: [out]}]\n")
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{
		{"--help"},
		{"--version"},
		{"--print-default-config"},
		{"--print-config", "--config", good},
		{"--check-config", "--config", good},
		{"--test-rules", rules, "--config", good},
	} {
		cmd := command(t, args...)
		cmd.Stdout = full
		if code, _, stderr := cmdtest.Run(t, cmd); code != exitFailed || !strings.Contains(stderr, "no space left on device") {
			t.Errorf("%v: exit status %d, %q", args, code, stderr)
		}
	}
}

func TestCheckWarnsOfExposedSecrets(t *testing.T) {
	path := write(t, "sinks:\n- name: hook\n  webhook: {url: 'https://example.org/', bearer: hunter2}\n")
	for mode, want := range map[os.FileMode]string{
		0o640: "",
		0o644: "warning: " + path + ":3:50: sinks[0].webhook.bearer: is a secret",
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		code, _, stderr := execute(t, "--check-config", "--config", path)
		if code != exitOK || !strings.HasPrefix(stderr, want) || (want == "") != (stderr == "") || strings.Contains(stderr, "hunter2") {
			t.Errorf("%o: status %d, %q; want %q", mode, code, stderr, want)
		}
	}
}

// launch starts the daemon, and returns it and the rest of its log when it serves.
func launch(t *testing.T) (cmd *exec.Cmd, log *bufio.Scanner) {
	t.Helper()
	cmd = command(t, "--config", write(t, "http: {listen: \"127.0.0.1:0\"}\n"))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log = bufio.NewScanner(stderr)
	await(t, log, "msg=listening component=http")
	return cmd, log
}

// await reads the log up to a line that contains the text.
func await(t *testing.T, log *bufio.Scanner, text string) {
	t.Helper()
	var before strings.Builder
	for log.Scan() {
		if strings.Contains(log.Text(), text) {
			return
		}
		fmt.Fprintln(&before, log.Text())
	}
	t.Fatalf("the log ends without %q:\n%s", text, &before)
}

// wait reads the log to its end, and returns the error of the process.
func wait(cmd *exec.Cmd, log *bufio.Scanner) error {
	for log.Scan() {
	}
	return cmd.Wait()
}

func TestSignals(t *testing.T) {
	cmd, log := launch(t)
	cmd.Process.Signal(syscall.SIGHUP) // seen in the log
	await(t, log, "files are reopened")
	cmd.Process.Signal(syscall.SIGTERM) // seen in the log
	await(t, log, "msg=stopping")
	await(t, log, "msg=stopped")
	if err := wait(cmd, log); err != nil {
		t.Errorf("%v after SIGTERM", err)
	}
}

// Programs of the sink exec would inherit an ignored signal: the pipelines of a shell would
// continue to write without a reader.
func TestNoSignalIsIgnored(t *testing.T) {
	cmd, log := launch(t)
	// The parent of the test may ignore some signals.
	if more := ignored(t, fmt.Sprint(cmd.Process.Pid)) &^ ignored(t, "self"); more != 0 {
		t.Errorf("signals are ignored: %#x", more)
	}
	cmd.Process.Signal(syscall.SIGPIPE) // seen in the exit status
	cmd.Process.Signal(syscall.SIGTERM) // seen in the exit status
	if err := wait(cmd, log); err != nil {
		t.Errorf("%v after SIGPIPE and SIGTERM", err)
	}
}

// ignored returns the signals that a process ignores, a bit each.
func ignored(t *testing.T, pid string) (set uint64) {
	t.Helper()
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "\nSigIgn:")
	if _, err := fmt.Sscanf(rest, "%x", &set); err != nil {
		t.Fatal(err)
	}
	return set
}
