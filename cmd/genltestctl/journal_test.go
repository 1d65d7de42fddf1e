// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/internal/kernelmsg"
)

// newJournal makes a journal of three events, which one reader has not read.
func newJournal(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "journal")
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = j.NewReader("archive", journal.ReaderOptions{})
	for _, text := range []string{"one", "two", hostile} {
		err = errors.Join(err, j.Append(nil, time.Unix(1_700_000_000, 0), [][]byte{kernelmsg.Event(text)}))
	}
	if err := errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// breakJournal damages the second event of a journal.
func breakJournal(t *testing.T, dir string) (segment string) {
	t.Helper()
	segment = filepath.Join(dir, "00000000000000000001.log")
	b, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(b), "two")
	if at < 0 {
		t.Fatal("no event")
	}
	b[at] ^= 1
	if err := os.WriteFile(segment, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return segment
}

const noSocket = "/nonexistent/control.sock"

func TestJournalVerifyAndDump(t *testing.T) {
	dir := newJournal(t)
	code, stdout, stderr := execute(t, "--socket", noSocket, "journal", "verify", dir)
	if code != 0 || stderr != "" || !strings.HasPrefix(stdout, "journal   "+dir+", id ") ||
		!strings.HasSuffix(stdout, "records   3, numbers 1 to 3\ncursor    archive, next number 1, 3 records waiting\nintact\n") {
		t.Errorf("verify: status %d, %q, %q", code, stdout, stderr)
	}
	code, stdout, stderr = execute(t, "--socket", noSocket, "journal", "dump", dir)
	if code != 0 || stderr != "" || strings.Count(stdout, "\n") != 3 || !strings.Contains(stdout, `"message":"two"`) ||
		strings.Contains(stdout, "\x1b") {
		t.Errorf("dump: status %d, %q, %q", code, stdout, stderr)
	}
	segment := breakJournal(t, dir)
	const damage = "damaged in 2 places; known to be missing: 1 record\n"
	code, stdout, stderr = execute(t, "--socket", noSocket, "journal", "verify", dir)
	if code != 1 || stderr != "genltestctl: "+damage || !strings.HasPrefix(stdout, "damage    "+segment+", offset ") {
		t.Errorf("verify of damage: status %d, %q, %q", code, stdout, stderr)
	}
	code, stdout, stderr = execute(t, "--socket", noSocket, "journal", "dump", dir)
	if code != 1 || stderr != "genltestctl: "+damage || strings.Count(stdout, "\n") != 2 || strings.Contains(stdout, `"message":"two"`) {
		t.Errorf("dump of damage: status %d, %q, %q", code, stdout, stderr)
	}
}

func TestJournalVerifyAsJSON(t *testing.T) {
	dir := newJournal(t)
	var form journalForm
	code, stdout, _ := execute(t, "--socket", noSocket, "journal", "verify", "-o", "json", dir)
	if err := json.Unmarshal([]byte(stdout), &form); err != nil || code != 0 {
		t.Fatalf("status %d, %v, %q", code, err, stdout)
	}
	want := journalForm{
		Path: dir, ID: form.ID, Segments: 1, Bytes: form.Bytes, Records: 3, First: 1, Last: 3,
		Cursors: []cursorForm{{"archive", 1, 3}}, Problems: []problemForm{},
	}
	if diff := cmp.Diff(want, form); diff != "" || len(form.ID) != 16 || form.Bytes == 0 {
		t.Errorf("form (-want +got):\n%s", diff)
	}
	segment := breakJournal(t, dir)
	code, stdout, _ = execute(t, "--socket", noSocket, "journal", "verify", "-o", "json", dir)
	if err := json.Unmarshal([]byte(stdout), &form); err != nil || code != 1 || form.Missing != 1 || len(form.Problems) != 2 {
		t.Fatalf("status %d, %v, %q", code, err, stdout)
	}
	if p := form.Problems[0]; p.Path != segment || p.Offset == 0 || p.Bytes == 0 || p.Text != "no valid batch" {
		t.Errorf("problem %+v", p)
	}
}

// The directory is that of the running daemon, or else that of the configuration.
func TestJournalFindsTheDirectory(t *testing.T) {
	dir := newJournal(t)
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("journal: {path: "+dir+"}\nsinks: [{name: a, webhook: {url: 'https://x'}}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(broken, []byte("journal: {paht: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	st := healthyStatus()
	st.Journal.Path = dir
	socket := serveStatus(t, st)
	for _, test := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"verify", "--socket", socket}, 0, "journal   " + dir + ", ", ""},
		{[]string{"verify", "--socket", noSocket, "--config", file}, 0, "journal   " + dir + ", ", ""},
		{[]string{"dump", "--socket", noSocket, "--config", file}, 0, `{"id":"`, ""},
		{[]string{"verify", "--socket", socket, "--config", broken}, 78, "", "genltestctl: name the directory: "},
		{[]string{"verify", "--socket", noSocket, "--config", "/nonexistent"}, 78, "", "genltestctl: name the directory: "},
		{[]string{"verify", filepath.Dir(file)}, 66, "", "genltestctl: journal " + filepath.Dir(file) + ": "},
		{[]string{"dump", "/nonexistent"}, 66, "", "genltestctl: journal /nonexistent: "},
		{[]string{"verify", "a", "b"}, 64, "", "genltestctl: accepts at most 1 arg"},
		{[]string{"stat", "a"}, 64, "", "genltestctl: unknown command"},
		{nil, 64, "", "genltestctl: missing subcommand; use stat, verify or dump; "},
	} {
		code, stdout, stderr := execute(t, append([]string{"journal"}, test.args...)...)
		if code != test.code || !strings.HasPrefix(stdout, test.stdout) || (stdout == "") != (test.stdout == "") ||
			!strings.HasPrefix(stderr, test.stderr) || (stderr == "") != (test.stderr == "") {
			t.Errorf("%q: status %d, %q, %q", test.args, code, stdout, stderr)
		}
	}
}

// fullJournal is the status of a daemon whose journal has a fault.
func fullJournal() *api.Status {
	st := degradedStatus()
	st.Journal.Accepting, st.Journal.Bytes = false, st.Journal.MaxBytes
	st.Sinks[1].LagBytes = 3 << 30
	for i := range st.Parts {
		if st.Parts[i].Name == "journal" {
			st.Parts[i].Faults = []api.Fault{{Reason: "full", Text: "the journal is full of events that sinks with overflow: block need " + hostile}}
		}
	}
	return st
}

func TestJournalStatFitsTheTerminal(t *testing.T) {
	for name, c := range map[string]struct {
		status *api.Status
		code   int
	}{"healthy": {healthyStatus(), 0}, "full": {fullJournal(), 3}} {
		socket := serveStatus(t, c.status)
		for _, width := range []uint16{40, 80, 132} {
			code, shown := onTerminal(t, width, []string{"NO_COLOR=1"}, "journal", "stat", "--socket", socket)
			if code != c.code {
				t.Errorf("%s: exit status %d, want %d", name, code, c.code)
			}
			for line := range strings.Lines(shown) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > int(width) {
					t.Errorf("%s: %d characters: %q", name, n, line)
				}
			}
			golden(t, fmt.Sprintf("journal-stat-%s-%d", name, width), shown)
		}
		_, stdout, _ := execute(t, "journal", "stat", "-o", "json", "--socket", socket)
		golden(t, "journal-stat-"+name+"-json", stdout)
	}
}

func TestJournalStatWithoutADaemonReadsTheFiles(t *testing.T) {
	dir := newJournal(t)
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("journal: {path: "+dir+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"journal", "stat", "--socket", noSocket, "--config", file}
	_, verified, _ := execute(t, "journal", "verify", dir)
	code, stdout, stderr := execute(t, args...)
	if code != 0 || stdout != verified || !strings.HasPrefix(stderr, "genltestctl: no daemon listens on "+noSocket) ||
		!strings.HasSuffix(stderr, "\ngenltestctl: reading the files of the journal in place of that\n") {
		t.Errorf("status %d, %q, %q", code, stdout, stderr)
	}
	var form journalStatForm
	code, stdout, _ = execute(t, append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(stdout), &form); err != nil || code != 0 || form.Running || form.Journal != nil ||
		form.Files == nil || form.Files.Records != 3 {
		t.Errorf("status %d, %v, %q", code, err, stdout)
	}
	breakJournal(t, dir)
	if code, _, _ = execute(t, args...); code != 1 {
		t.Errorf("a damaged journal: status %d", code)
	}
}

func TestJournalOutputFailure(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	dir := newJournal(t)
	for _, args := range [][]string{{"verify", dir}, {"verify", dir, "-o", "json"}, {"dump", dir}} {
		cmd := cmdtest.Command(t, append([]string{"journal"}, args...)...)
		cmd.Stdout = full
		if code, _, stderr := cmdtest.Run(t, cmd); code != 1 || !strings.Contains(stderr, "no space left on device") {
			t.Errorf("%s: status %d, %q", args, code, stderr)
		}
	}
}
