// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/state"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// A foreignFile creates a file in the directory that does not belong to the journal.
type foreignFile struct {
	name   string
	do     func(fs *memfs.FS, segments []string)
	want   func(damage.Counts) bool
	logged string
}

// TestForeignFilesDoNotAffectRecords: copies of files, files of another journal,
// and files without valid content. All records are read, and the log names the file.
func TestForeignFilesDoNotAffectRecords(t *testing.T) {
	other, _ := healthyJournal(t, true)
	within := "/j/" + segment.Name(5) // a number within the first segment
	beyond := "/j/" + segment.Name(healthyRecords+10)
	repaired := func(d damage.Counts) bool { return d.Repairs == 1 }
	stray := func(d damage.Counts) bool { return d.Strays == 1 && d.Repairs == 0 && d.Records == 0 }
	copied := func(m *memfs.FS, to, from string) { m.Names[to] = &memfs.Node{Data: bytes.Clone(m.Names[from].Data)} }
	foreign := func(m *memfs.FS, name, as string) {
		m.Names[as] = &memfs.Node{Data: bytes.Clone(other.Names[name].Data)}
	}
	for _, c := range []foreignFile{
		{"copy of the same segment within it", func(m *memfs.FS, s []string) { copied(m, within, s[0]) }, stray, within},
		{"copy of a later segment within an earlier one", func(m *memfs.FS, s []string) { copied(m, within, s[2]) }, stray, within},
		{"copy of a segment behind the last", func(m *memfs.FS, s []string) { copied(m, beyond, s[1]) }, stray, beyond},
		{"segment of another journal", func(m *memfs.FS, s []string) { foreign(m, segmentsIn(other)[1], within) }, stray, within},
		{"empty file within a segment", func(m *memfs.FS, _ []string) { m.Names[within] = &memfs.Node{} }, nil, ""},
		{"garbage within a segment", func(m *memfs.FS, _ []string) { m.Names[within] = &memfs.Node{Data: make([]byte, 500)} }, nil, within},
		{"header of a segment, damaged, within it", func(m *memfs.FS, s []string) {
			copied(m, within, s[0])
			m.Names[within].Data[40] ^= 1
		}, nil, within},
		{"directory within a segment", func(m *memfs.FS, _ []string) { m.Names[within] = &memfs.Node{Kind: vfs.KindDirectory} }, nil, within},
		{"meta of another journal", func(m *memfs.FS, _ []string) { foreign(m, "/j/meta", "/j/meta") }, repaired, "/j/meta"},
		{"state of another journal", func(m *memfs.FS, _ []string) { foreign(m, "/j/state", "/j/state") }, repaired, "/j/state"},
		{"meta and state of another journal", func(m *memfs.FS, _ []string) {
			foreign(m, "/j/meta", "/j/meta")
			foreign(m, "/j/state", "/j/state")
		}, func(d damage.Counts) bool { return d.Repairs == 2 }, "/j/meta"},
		{"a file that was not complete", func(m *memfs.FS, _ []string) {
			m.Names["/j/cursor-r.tmp"] = &memfs.Node{Data: []byte("x")}
		}, nil, "cursor-r.tmp"},
	} {
		for _, clean := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/clean=%v", c.name, clean), func(t *testing.T) {
				fs, texts := healthyJournal(t, clean)
				c.do(fs, segmentsIn(fs))
				before := fs.Clone()
				var lines bytes.Buffer
				opts := manualOptions(fs)
				opts.Log = slog.New(slog.NewTextHandler(&lines, nil))
				j := open(t, "/j", opts)
				r := reader(t, j, "r", FromOldest)
				put(t, j, "new")
				firstUse(t, j)
				got, skipped := drain(t, r)
				if len(got) != healthyRecords+1 || skipped > 0 {
					t.Errorf("%d records, %d skipped", len(got), skipped)
				}
				(&history{texts: texts}).checkRecords(t, c.name, got[:len(got)-1])
				if c.want != nil && !c.want(j.Stats().Damage) {
					t.Errorf("damage %+v", j.Stats().Damage)
				}
				if !strings.Contains(lines.String(), c.logged) {
					t.Errorf("the log does not name %s:\n%s", c.logged, &lines)
				}
				if n := before.Names[c.logged]; strings.HasSuffix(c.logged, segment.Suffix) && !bytes.Equal(n.Data, fs.Names[c.logged].Data) {
					t.Errorf("%s was changed", c.logged)
				}
				abandon(j)
				// A reader whose position is after the number of the file also reads all records.
				j = open(t, "/j", manualOptions(fs))
				if err := reader(t, j, "later", FromOldest).commit(segment.Position{Next: 8, Index: 7}); err != nil {
					t.Fatal(err)
				}
				abandon(j)
				j = open(t, "/j", manualOptions(fs))
				if got, skipped := drain(t, reader(t, j, "later", FromOldest)); len(got) != healthyRecords+1-7 || skipped > 0 {
					t.Errorf("from number 8 on: %d records, %d skipped", len(got), skipped)
				}
				all := reader(t, j, "r", FromOldest)
				_ = all.commit(segment.Position{Next: 8, Index: 7}) // in memory
				firstUse(t, j)
				if len(segmentsIn(fs)) < len(segmentsIn(before)) {
					t.Error("a segment with unread records was removed")
				}
			})
		}
	}
}

// TestCursorBeyondEndStartsAtOldestRecord: such a cursor counts as damaged.
func TestCursorBeyondEndStartsAtOldestRecord(t *testing.T) {
	fs, _ := healthyJournal(t, true)
	j := open(t, "/j", manualOptions(fs))
	id := j.who.ID
	abandon(j)
	copy(fs.Names["/j/cursor-r"].Data, slot.Encode(99, cursor.Encode(segment.Position{Next: state.LostStep, Index: 5}, id)))
	j = open(t, "/j", manualOptions(fs))
	got, skipped := drain(t, reader(t, j, "r", FromOldest))
	if len(got) != healthyRecords || skipped > 0 || j.Stats().Damage.Cursors != 1 {
		t.Errorf("%d records, %d skipped, damage %+v", len(got), skipped, j.Stats().Damage)
	}
}
