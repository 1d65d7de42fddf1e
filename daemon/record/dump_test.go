// SPDX-License-Identifier: Apache-2.0

package record_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/daemon/record"
	"github.com/genltestd/genltestd/daemon/statefile"
	"github.com/genltestd/genltestd/internal/kernelmsg"
)

// line is one line of a dump.
type line struct {
	Seq           uint64
	Message       string
	Host          string
	BootID        string `json:"boot_id"`
	KernelRelease string `json:"kernel_release"`
	Error         string
	Record        []byte `json:"record_base64"`
}

func dump(t *testing.T, dir string) (lines []line) {
	t.Helper()
	var out bytes.Buffer
	if _, err := record.Dump(dir, &out, nil); err != nil {
		t.Fatal(err)
	}
	for text := range strings.Lines(out.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		lines = append(lines, l)
	}
	return lines
}

func boot(digit string) origin.Boot {
	return origin.Boot{ID: strings.Repeat(digit, 32), Release: "6.1.0-" + digit}
}

// journalOfTwoBoots journals one record in each boot, and stores the boots next to it.
func journalOfTwoBoots(t *testing.T, state string, records ...[]byte) (dir string) {
	t.Helper()
	dir = filepath.Join(state, "journal")
	for i, digit := range []string{"a", "b"} {
		j, err := journal.Open(dir, journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		o := origin.Options{Files: statefile.Disk{}, Path: filepath.Join(state, origin.FileName), JournalID: j.ID()}
		if _, err := origin.Open(o, 1, j.Stats().Last+1, boot(digit), "host-"+digit); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(j.Append(nil, time.Now(), [][]byte{records[i]}), j.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDumpShowsHostAndBootIfTheFileOfBootsExists(t *testing.T) {
	state := t.TempDir()
	dir := journalOfTwoBoots(t, state, kernelmsg.Event("one"), kernelmsg.Event("two")) + "/"
	a, b := boot("a"), boot("b")
	want := []line{
		{Seq: 1, Message: "one", Host: "host-a", BootID: a.ID, KernelRelease: a.Release},
		{Seq: 2, Message: "two", Host: "host-b", BootID: b.ID, KernelRelease: b.Release},
	}
	if diff := cmp.Diff(want, dump(t, dir)); diff != "" {
		t.Errorf("dump (-want +got):\n%s", diff)
	}
	if err := os.Remove(filepath.Join(state, origin.FileName)); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	want = []line{{Seq: 1, Message: "one", Host: host}, {Seq: 2, Message: "two", Host: host}}
	if diff := cmp.Diff(want, dump(t, dir)); diff != "" {
		t.Errorf("dump without the file (-want +got):\n%s", diff)
	}
}

func TestDumpShowsTheBytesOfARecordThatIsNotAnEvent(t *testing.T) {
	got := dump(t, journalOfTwoBoots(t, t.TempDir(), []byte("\x1b[2J"), kernelmsg.Event("two")))
	if len(got) != 2 || got[0].Error == "" || string(got[0].Record) != "\x1b[2J" || got[1].Message != "two" {
		t.Errorf("dump %+v", got)
	}
}
