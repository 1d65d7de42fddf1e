// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/internal/kernelmsg"
)

const hostile = "\x1b[2J\u202egnp.exe\n\x9b31m"

// newJournal makes a journal of six records in three segments, two of them
// hostile. It is still open.
func newJournal(t *testing.T) (dir string, j *journal.Journal) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "journal")
	j, err := journal.Open(dir, journal.Options{SegmentBytes: 300})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	if _, err := j.NewReader("archive", journal.ReaderOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, record := range [][]byte{
		kernelmsg.Event("one"), kernelmsg.Event("two"), kernelmsg.Event(hostile), []byte("no event " + hostile),
		kernelmsg.Event("five"), kernelmsg.Event("six"),
	} {
		if err := j.Append(nil, time.Unix(1_700_000_000, 0), [][]byte{record}); err != nil {
			t.Fatal(err)
		}
	}
	return dir, j
}

func closedJournal(t *testing.T) (dir string) {
	t.Helper()
	dir, j := newJournal(t)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// contents returns all files of a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range matches(t, dir, "*") {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(b)
	}
	return files
}

func matches(t *testing.T, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestJournalVerifyOfAnIntactJournal(t *testing.T) {
	dir := closedJournal(t)
	before := contents(t, dir)
	segments := matches(t, dir, "*.log")
	size := 0
	for _, name := range segments {
		size += len(before[name])
	}
	code, stdout, stderr := execute(t, "journal", "verify", dir)
	var id string
	if _, err := fmt.Sscanf(before[filepath.Join(dir, "meta")], "genltestd-journal format=1 id=%s", &id); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("journal   %s, id %s\nsegments  %d, %d bytes\nrecords   6, numbers 1 to 6\n"+
		"cursor    archive, next number 1, 6 records waiting\nintact\n", dir, id, len(segments), size)
	if diff := cmp.Diff(want, stdout); diff != "" || code != 0 || stderr != "" {
		t.Errorf("status %d, %q, output (-want +got):\n%s", code, stderr, diff)
	}
	if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
		t.Errorf("the journal was changed:\n%s", diff)
	}
}

// dumpLine contains the possible fields of a line of the dump.
type dumpLine struct {
	ID      string
	Seq     uint64
	Message string
	Bytes   []byte `json:"message_base64"`
	Record  []byte `json:"record_base64"`
	Error   string
}

func parseDump(t *testing.T, text string) (list []dumpLine) {
	t.Helper()
	for line := range strings.Lines(text) {
		for _, r := range line[:len(line)-1] {
			if r < ' ' || r >= 0x7f && r != 0xfffd {
				t.Errorf("%U is not escaped in %q", r, line)
			}
		}
		var d dumpLine
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		list = append(list, d)
	}
	return list
}

func TestJournalDumpMatchesTheOutputOfSinks(t *testing.T) {
	dir := closedJournal(t)
	code, stdout, stderr := execute(t, "journal", "dump", dir)
	list := parseDump(t, stdout)
	if code != 0 || stderr != "" || len(list) != 6 {
		t.Fatalf("status %d, %q, %d lines:\n%s", code, stderr, len(list), stdout)
	}
	for i, d := range list {
		if d.Seq != uint64(i+1) || !strings.HasSuffix(d.ID, fmt.Sprintf("-%d", d.Seq)) {
			t.Errorf("line %d: id %s, number %d", i, d.ID, d.Seq)
		}
	}
	if list[0].Message != "one" || list[5].Message != "six" || string(list[2].Bytes) != hostile {
		t.Errorf("events: %+v", list)
	}
	if d := list[3]; string(d.Record) != "no event "+hostile || d.Error == "" {
		t.Errorf("the record that is no event: %+v, want base64 of it: %s", d, base64.StdEncoding.EncodeToString([]byte(hostile)))
	}
}

// TestJournalDumpDecodesEventsOfOtherFamilies, whose specifications are in the binary.
func TestJournalDumpDecodesEventsOfOtherFamilies(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	device := kernelmsg.Message(33, 2, 1, kernelmsg.Attr(1, []byte{5, 0, 0, 0}))
	records := [][]byte{
		kernelmsg.Event("one"),
		genl.AppendMulticast(nil, &genl.Multicast{Family: "netdev", Group: "mgmt", Message: device}),
		genl.AppendMulticast(nil, &genl.Multicast{Family: "private", Group: "events", Message: device}),
		genl.AppendGap(nil, &genl.Gap{Count: 3, Reason: "kernel_buffer", Family: "netdev"}),
	}
	if err := errors.Join(j.Append(nil, time.Now(), records), j.Close()); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := execute(t, "journal", "dump", dir)
	lines := strings.Split(stdout, "\n")
	if code != 0 || stderr != "" || len(lines) != len(records)+1 {
		t.Fatalf("status %d, %q, %q", code, stderr, stdout)
	}
	for i, part := range []string{
		`"family":"genltest"`,
		`"family":"netdev","group":"mgmt","command":"dev-add-ntf","attributes":{"ifindex":5}`,
		`"family":"private","group":"events","command":"2","attributes":{"1":"05000000"}`,
		`"family":"netdev"`,
	} {
		if !strings.Contains(lines[i], part) {
			t.Errorf("no %s in %s", part, lines[i])
		}
	}
	if code, stdout, stderr := execute(t, "journal", "verify", dir); code != 0 || !strings.Contains(stdout, "records   4,") {
		t.Errorf("verify: status %d, %q, %q", code, stdout, stderr)
	}
	const spec = "name: private\nprotocol: genetlink\nattribute-sets: [{name: a, attributes: [{name: port, type: u32}]}]\n" +
		"operations: {list: [{name: flap, value: 2, attribute-set: a, event: {attributes: [port]}}]}\n"
	at := t.TempDir()
	config := filepath.Join(at, "c.yaml")
	yaml := fmt.Sprintf("families: [{name: private, spec: %s/private.yaml}]\njournal: {path: %s}\n", at, dir)
	if err := errors.Join(os.WriteFile(at+"/private.yaml", []byte(spec), 0o600), os.WriteFile(config, []byte(yaml), 0o600)); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = execute(t, "journal", "dump", "--config", config)
	if code != 0 || stderr != "" || !strings.Contains(stdout, `"command":"flap","attributes":{"port":5}`) {
		t.Errorf("with another configuration: status %d, %q, %q", code, stderr, stdout)
	}
}

func TestJournalIsReadableWhileInUse(t *testing.T) {
	dir, j := newJournal(t)
	for _, action := range []string{"verify", "dump"} {
		if code, stdout, stderr := execute(t, "journal", action, dir); code != 0 || strings.Count(stdout, "\n") < 5 || stderr != "" {
			t.Errorf("%s: status %d, %q, %q", action, code, stdout, stderr)
		}
	}
	if err := j.Append(nil, time.Now(), [][]byte{kernelmsg.Event("seven")}); err != nil {
		t.Error(err)
	}
}

func TestJournalDamageIsReportedWithFileAndOffset(t *testing.T) {
	dir := closedJournal(t)
	segment := matches(t, dir, "*.log")[0]
	b, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	b[64+60] ^= 1 // in the first batch
	if err := os.WriteFile(segment, b, 0o600); err != nil {
		t.Fatal(err)
	}
	// A user who can write to the directory chooses the names of its files.
	if err := os.WriteFile(filepath.Join(dir, "cursor-\x1b[31m"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := execute(t, "journal", "verify", dir)
	for _, part := range []string{
		"damage    " + segment + ", offset 64: no valid batch, ",
		"records are missing before this offset, 1 record",
		`cursor-\x1b[31m", offset 0: damaged; its reader begins again`,
		"records   5, numbers 2 to 6\n",
	} {
		if !strings.Contains(stdout, part) {
			t.Errorf("no %q in:\n%s", part, stdout)
		}
	}
	if code != 1 || strings.ContainsAny(stdout+stderr, "\x1b") ||
		!strings.Contains(stderr, "damaged in 3 places; known to be missing: 1 record") {
		t.Errorf("status %d, %q, %q", code, stdout, stderr)
	}
	code, stdout, stderr = execute(t, "journal", "dump", dir)
	list := parseDump(t, stdout)
	if code != 1 || len(list) != 5 || list[0].Message != "two" || !strings.Contains(stderr, "damaged in 3 places") {
		t.Errorf("dump: status %d, %q, %q", code, stdout, stderr)
	}
}

func TestJournalRejectsOtherDirectories(t *testing.T) {
	line := "genltestd-journal format=2 id=0000000000000001 mark=0000000000000002"
	newer := fmt.Sprintf("%s crc=%08x\n", line, crc32.Checksum([]byte(line), crc32.MakeTable(crc32.Castagnoli)))
	for name, c := range map[string]struct{ file, text, output string }{
		"missing": {output: "no such file or directory"},
		"empty":   {file: ".", output: "not a journal's: it is empty"},
		"foreign": {file: "notes.txt", text: "x", output: "not a journal's: it contains notes.txt"},
		"newer":   {file: "meta", text: newer, output: "written by a newer version"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "j")
			if c.file != "" {
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if c.text != "" {
				if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, action := range []string{"verify", "dump"} {
				code, stdout, stderr := execute(t, "journal", action, dir)
				if code != 66 || stdout != "" || !strings.Contains(stderr, dir) ||
					!strings.Contains(stderr, c.output) || strings.Count(stderr, "\n") != 1 {
					t.Errorf("%s: status %d, %q, %q", action, code, stdout, stderr)
				}
			}
		})
	}
}

func TestJournalUsage(t *testing.T) {
	for _, c := range []struct {
		args   []string
		code   int
		output string // on standard output if the status is 0, else on standard error
	}{
		{[]string{"--help"}, 0, "\n  verify      Read and check"},
		{[]string{"verify", "--help"}, 0, "may be in use by the daemon"},
		{[]string{"dump", "-h"}, 0, "\n  genltestd journal dump [DIR]"},
		{nil, 64, "genltestd journal: specify verify or dump; see genltestd journal --help"},
		{[]string{"mend", "/x"}, 64, "specify verify or dump"},
		{[]string{"dump", "/x", "/y"}, 64, `genltestd journal dump: unexpected argument "/y"`},
		{[]string{"dump", "--all", "/x"}, 64, "--all"},
	} {
		code, stdout, stderr := execute(t, append([]string{"journal"}, c.args...)...)
		printed, empty := stderr, stdout
		if c.code == 0 {
			printed, empty = stdout, stderr
		}
		if code != c.code || !strings.Contains(printed, c.output) || empty != "" {
			t.Errorf("%v: status %d, %q, %q", c.args, code, stdout, stderr)
		}
	}
}

// TestJournalDefaultsToTheDirectoryOfTheDaemon: the default is the journal in the state directory.
func TestJournalDefaultsToTheDirectoryOfTheDaemon(t *testing.T) {
	if _, err := os.Stat(defaultConfig); err == nil {
		t.Skip("this machine has a configuration")
	}
	dir := closedJournal(t)
	below := func(state string, args ...string) (code int, stdout, stderr string) {
		cmd := command(t, append([]string{"journal"}, args...)...)
		cmd.Env = append(cmd.Env, "STATE_DIRECTORY="+state)
		return cmdtest.Run(t, cmd)
	}
	for _, action := range []string{"verify", "dump"} {
		code, stdout, stderr := below(filepath.Dir(dir), action)
		if want, wanted, _ := execute(t, "journal", action, dir); code != want || stdout != wanted || stderr != "" {
			t.Errorf("%s: status %d, %q, %q", action, code, stdout, stderr)
		}
	}
	none := t.TempDir()
	if code, _, stderr := below(none, "verify"); code != 66 || !strings.Contains(stderr, none+"/journal") {
		t.Errorf("without one: status %d, %q", code, stderr)
	}
}

func TestJournalOutputFailure(t *testing.T) {
	dir := closedJournal(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, action := range []string{"verify", "dump"} {
		cmd := command(t, "journal", action, dir)
		cmd.Stdout = full
		if code, _, stderr := cmdtest.Run(t, cmd); code != 1 || !strings.Contains(stderr, "no space left on device") {
			t.Errorf("%s: status %d, %q", action, code, stderr)
		}
	}
}
