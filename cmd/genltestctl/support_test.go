// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/messages"
)

// private is a text that the archive must not contain. It is a part of each secret and each event in the tests.
const private = "xyzzy"

// supportDaemon is a daemon with a status and metrics.
type supportDaemon struct {
	*fakeDaemon
	status *api.Status
}

func (d *supportDaemon) Status() *api.Status { return d.status }

func (d *supportDaemon) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "genltestd_up 1\n") })
}

// quotingStatus is a status whose errors quote events.
func quotingStatus(journal string) *api.Status {
	st := degradedStatus()
	st.Journal.Path = journal
	text := "POST https://siem/" + private + ": 503 Service Unavailable: rejected " + private
	for i := range st.Parts {
		if st.Parts[i].Name == "delivery/hook" {
			st.Parts[i].Faults[0].Text = text
		}
	}
	st.Sinks[1].Faults = []api.Fault{{Reason: "refused", Text: text}}
	st.Sinks[1].LastError = text
	return st
}

// entryOf returns an entry of the log as journalctl prints it.
func entryOf(t *testing.T, fields map[string]any) string {
	t.Helper()
	all := map[string]any{"__REALTIME_TIMESTAMP": "1767323045000006", "PRIORITY": "4"}
	for name, value := range fields {
		all[name] = value
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

// ownEntry returns an entry of the daemon.
func ownEntry(t *testing.T, message, attributes string, fields map[string]any) string {
	t.Helper()
	all := map[string]any{
		"_TRANSPORT": "journal", "SYSLOG_IDENTIFIER": "genltestd", "MESSAGE_ID": messages.ID(message),
		"MESSAGE": fmt.Sprintf("msg=%q%s", message, attributes),
	}
	for name, value := range fields {
		all[name] = value
	}
	return entryOf(t, all)
}

func supportLog(t *testing.T) string {
	t.Helper()
	const failed = "delivery failed; will try again until it succeeds"
	return ownEntry(t, "starting", " version=1.0.0", map[string]any{"GENLTESTD_VERSION": "1.0.0"}) +
		ownEntry(t, failed, " sink=hook error=\""+private+"\"", map[string]any{
			"GENLTESTD_SINK": "hook", "GENLTESTD_ERROR": "POST https://siem: connection refused " + private, "GENLTESTD_SUCH_LINES_LEFT_OUT": "17",
		}) +
		ownEntry(t, "cannot decode an event", " error="+private, map[string]any{"GENLTESTD_ERROR": []int{120, 121, 122, 122, 121, 27}}) +
		// Events of a sink, on standard output and as entries.
		entryOf(t, map[string]any{"_TRANSPORT": "stdout", "SYSLOG_IDENTIFIER": "genltestd", "MESSAGE": `{"message":"` + private + `"}`}) +
		entryOf(t, map[string]any{
			"_TRANSPORT": "journal", "SYSLOG_IDENTIFIER": "genltestd", "MESSAGE": private,
			"MESSAGE_ID": "0123456789abcdef0123456789abcdef",
		}) +
		entryOf(t, map[string]any{"_TRANSPORT": "stdout", "MESSAGE": private, "MESSAGE_ID": messages.ID("starting")}) +
		entryOf(t, map[string]any{"_TRANSPORT": "journal", "MESSAGE": []any{[]int{120, 121}, []int{122}}}) +
		// A crash.
		entryOf(t, map[string]any{"_TRANSPORT": "stdout", "MESSAGE": "panic: " + private}) +
		entryOf(t, map[string]any{"_TRANSPORT": "stdout", "MESSAGE": "goroutine 1 [running]:"}) +
		entryOf(t, map[string]any{"_TRANSPORT": "stdout", "MESSAGE": "example.org/daemon.(*Daemon).Run(0xc000012345, {0x1, 0x2})"}) +
		entryOf(t, map[string]any{"_TRANSPORT": "stdout", "MESSAGE": "\tgithub.com/genltestd/genltestd/daemon/run.go:12 +0x1f"}) +
		entryOf(t, map[string]any{
			"_PID": "1", "_COMM": "systemd", "PRIORITY": "6",
			"MESSAGE": "genltestd.service: Main process exited, code=exited, status=2/INVALIDARGUMENT",
		})
}

const unitFiles = `# /etc/systemd/system/genltestd.service
[Service]
Environment=GENLTESTD_BOOT_ID=%b
ExecStart=/usr/sbin/genltestd
# /etc/systemd/system/genltestd.service.d/proxy.conf
[Service]
Environment="PROXY=http://a:xyzzy@proxy" \
  # a comment about xyzzy
  OTHER=xyzzy \ 
  MORE=xyzzy
SetCredential=token:xyzzy
#Environment=OLD=xyzzy
LoadCredential=token:/etc/token
`

// programs returns a directory with programs that print these outputs. It is the PATH of the command.
func programs(t *testing.T, outputs map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, output := range outputs {
		file := filepath.Join(dir, name+".output")
		script := "#!/bin/sh\nexec /bin/cat '" + file + "'\n"
		if name == "systemctl" {
			script = "#!/bin/sh\n[ \"$1\" = cat ] || { echo systemd 252; exit; }\nexec /bin/cat '" + file + "'\n"
		}
		if output == "" {
			script = "#!/bin/sh\necho \"no permission to see \x1b[2J$1\" >&2\nexit 1\n"
		}
		err := errors.Join(os.WriteFile(file, []byte(output), 0o600), os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700))
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// runSupport runs the command with this PATH.
func runSupport(t *testing.T, path string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := cmdtest.Command(t, append([]string{"support"}, args...)...)
	cmd.Env = append(cmd.Env, "PATH="+path)
	return cmdtest.Run(t, cmd)
}

// unpack returns the files of an archive, whose mode it checks.
func unpack(t *testing.T, file string) map[string]string {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || h.Mode != 0o600 {
			t.Fatalf("%s: mode %o, %v", h.Name, h.Mode, err)
		}
		files[strings.TrimPrefix(h.Name, "genltestd-support/")] = string(text)
	}
}

func TestSupportContainsEverythingExceptEventsAndSecrets(t *testing.T) {
	journal := newJournal(t)
	daemon := &supportDaemon{newFakeDaemon(), quotingStatus(journal)}
	daemon.config = "log:\n  level: info\n"
	file := filepath.Join(t.TempDir(), "s.tar.gz")
	path := programs(t, map[string]string{"systemctl": unitFiles, "journalctl": supportLog(t)})
	code, stdout, stderr := runSupport(t, path, "--socket", serve(t, daemon), "--file", file)
	if code != 0 || stderr != "" || !strings.HasPrefix(stdout, file+": ") || !strings.HasSuffix(stdout, ", 10 parts\n") {
		t.Fatalf("status %d, %q, %q", code, stdout, stderr)
	}
	files := unpack(t, file)
	for name, text := range files {
		if text == "" || strings.Contains(text, private) || strings.Contains(text, "\x1b") || strings.HasSuffix(name, ".error") {
			t.Errorf("%s: %s", name, text)
		}
	}
	golden(t, "support-log", files["log.txt"])
	golden(t, "support-unit", files["unit.txt"])
	for name, part := range map[string]string{
		"versions.txt":        "\ngenltestd    1.0.0, process 812, started 2025-12-29T23:04:05Z\nkernel       Linux ",
		"systemd-version.txt": "systemd 252",
		"config.yaml":         daemon.config,
		"metrics.txt":         "genltestd_up 1\n",
		"goroutines.txt":      "goroutine ",
		"journal-files.txt":   " 00000000000000000001.log\n",
		"status.json":         `"last_error": "(omitted: may quote an event; contains: 503 Service Unavailable)"`,
	} {
		if !strings.Contains(files[name], part) {
			t.Errorf("%s lacks %q:\n%s", name, part, files[name])
		}
	}
	var st api.Status
	if err := json.Unmarshal([]byte(files["status.json"]), &st); err != nil || st.Sinks[1].Failures != 21 {
		t.Errorf("status %+v, %v", st, err)
	}
}

func TestSupportNamesWhatIsMissing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.tar.gz")
	path := programs(t, map[string]string{"journalctl": ""})
	code, stdout, stderr := runSupport(t, path, "--socket", noSocket, "--file", file, "-o", "json")
	var form supportForm
	if err := json.Unmarshal([]byte(stdout), &form); err != nil || code != 0 || form.File != file || form.Bytes == 0 {
		t.Fatalf("status %d, %v, %q, %q", code, err, stdout, stderr)
	}
	files := unpack(t, file)
	if len(files) != len(form.Parts) {
		t.Errorf("%d files, %d parts", len(files), len(form.Parts))
	}
	failed := map[string]string{}
	for _, p := range form.Parts {
		if p.Error == "" {
			if len(files[p.Name]) != p.Bytes || p.Bytes == 0 {
				t.Errorf("%s has %d bytes, not %d", p.Name, len(files[p.Name]), p.Bytes)
			}
			continue
		}
		failed[p.Name] = p.Error
		want := "could not be collected: " + visible(p.Error) + "\n"
		if diff := cmp.Diff(want, files[p.Name+".error"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", p.Name, diff)
		}
		if line := "genltestctl: " + p.Name + " is not in the archive: " + visible(p.Error) + "\n"; !strings.Contains(stderr, line) {
			t.Errorf("standard error lacks %q: %q", line, stderr)
		}
	}
	for name, part := range map[string]string{
		"systemd-version.txt": "executable file not found", "unit.txt": "executable file not found",
		"config.yaml": "no daemon listens on", "status.json": "no daemon listens on", "metrics.txt": "no daemon listens on",
		"goroutines.txt": "no daemon listens on", "log.txt": "exit status 1: no permission to see \x1b[2J--no-pager",
	} {
		if !strings.Contains(failed[name], part) {
			t.Errorf("%s: %q", name, failed[name])
		}
	}
	if !strings.Contains(files["versions.txt"], "genltestd    unknown: no daemon listens on") || strings.Contains(stderr, "\x1b") {
		t.Errorf("%q, %q", files["versions.txt"], stderr)
	}
}

func TestSupportNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, []byte("precious"), 0o644), os.Symlink(filepath.Join(dir, "none"), link)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, link} {
		code, stdout, stderr := runSupport(t, t.TempDir(), "--socket", noSocket, "--file", name)
		want := "genltestctl: " + name + " exists and is not overwritten; specify another file with --file\n"
		if code != 1 || stdout != "" || stderr != want {
			t.Errorf("%s: status %d, %q, %q", name, code, stdout, stderr)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("%q, %v", text, err)
	}
	code, _, stderr := runSupport(t, t.TempDir(), "--socket", noSocket, "--file", filepath.Join(dir, "none", "s"))
	if code != 1 || !strings.HasPrefix(stderr, "genltestctl: create the archive: open ") {
		t.Errorf("status %d, %q", code, stderr)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}

// A program that prints nothing is not an empty part.
func TestAnEmptyLogIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journalctl"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	if text, err := collectLog(t.Context()); err == nil || !strings.HasSuffix(err.Error(), " printed nothing") {
		t.Errorf("%q, %v", text, err)
	}
}

// A daemon that hangs is asked once. The other parts are collected.
func TestSupportAsksADaemonThatHangsOnce(t *testing.T) {
	dir, err := os.MkdirTemp("", "ctl") // t.TempDir's path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "control.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var connections atomic.Int32
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			defer conn.Close()
		}
	}()
	defer listener.Close()
	file := filepath.Join(t.TempDir(), "s.tar.gz")
	path := programs(t, map[string]string{"systemctl": unitFiles, "journalctl": supportLog(t)})
	code, _, stderr := runSupport(t, path, "--socket", socket, "--file", file, "--timeout", "200ms")
	files := unpack(t, file)
	if n := connections.Load(); code != 0 || n != 1 {
		t.Errorf("status %d, the daemon was asked %d times, %q", code, n, stderr)
	}
	if !strings.Contains(files["versions.txt"], "unknown: no answer on "+socket+" within 200ms") {
		t.Errorf("versions: %s", files["versions.txt"])
	}
	for _, name := range []string{"config.yaml", "status.json", "metrics.txt", "goroutines.txt"} {
		if want := "could not be collected: " + errSilent.Error() + "\n"; files[name+".error"] != want {
			t.Errorf("%s: %q", name, files[name+".error"])
		}
	}
	for _, name := range []string{"os-release", "systemd-version.txt", "unit.txt", "log.txt"} {
		if files[name] == "" {
			t.Errorf("%s is missing: %q", name, files[name+".error"])
		}
	}
}

// The parts after the end of the time are named, and not begun.
func TestNoPartOfTheArchiveBeginsAfterItsTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	part := supportPart{"log.txt", func(context.Context) ([]byte, error) { t.Error("collected"); return nil, nil }}
	if _, err := part.collectIn(ctx); err == nil || !strings.Contains(err.Error(), "1m0s") {
		t.Error(err)
	}
}
