// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/state"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

const (
	healthyBatches = 20
	healthyRecords = 3 * healthyBatches
)

// healthyJournal returns a journal of several segments, and the texts of its records. clean
// selects whether its last process stopped cleanly.
func healthyJournal(t testing.TB, clean bool) (*memfs.FS, map[uint64]string) {
	t.Helper()
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	reader(t, j, "r", FromOldest)
	texts := map[uint64]string{}
	for i := range healthyBatches {
		put(t, j, text(3*i+1), text(3*i+2), text(3*i+3))
	}
	for seq := range uint64(healthyRecords) {
		texts[seq+1] = text(int(seq + 1))
	}
	if clean {
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	abandon(j)
	return fs, texts
}

// segmentsIn returns the sorted names of the segments.
func segmentsIn(m *memfs.FS) []string {
	var names []string
	for name := range m.Names {
		if strings.HasSuffix(name, segment.Suffix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// framesIn returns the offsets of the frames of a segment, and the end of the last frame.
func framesIn(m *memfs.FS, name string) []int {
	b := m.Names[name].Data
	mark := b[24:32]
	var at []int
	for off := segment.HeaderLen; off < len(b); {
		i := bytes.Index(b[off:], mark)
		if i < 0 {
			break
		}
		at = append(at, off+i)
		off += i + 1
	}
	return append(at, len(b))
}

// A damageCase damages a journal that is not open.
type damageCase struct {
	name  string
	apply func(m *memfs.FS, segments []string)
	lost  int // number of destroyed records
	want  func(damage.Counts) bool
}

func damageCases() []damageCase {
	garbage := make([]byte, 1500)
	rand.New(rand.NewSource(1)).Read(garbage)
	cutTail := func(n int) func(*memfs.FS, []string) {
		return func(m *memfs.FS, s []string) {
			d := m.Names[last(s)]
			d.Data = d.Data[:len(d.Data)-n]
		}
	}
	add := func(b []byte) func(*memfs.FS, []string) {
		return func(m *memfs.FS, s []string) { d := m.Names[last(s)]; d.Data = append(d.Data, b...) }
	}
	fill := func(b byte) func(*memfs.FS, []string) {
		return func(m *memfs.FS, s []string) {
			d := m.Names[last(s)].Data
			at := framesIn(m, last(s))
			copy(d[at[len(at)-2]:], bytes.Repeat([]byte{b}, len(d)))
		}
	}
	// flip changes a bit of the second frame of the second segment.
	flip := func(off int) func(*memfs.FS, []string) {
		return func(m *memfs.FS, s []string) { m.Names[s[1]].Data[framesIn(m, s[1])[1]+off] ^= 4 }
	}
	cutSlots := func(name string) func(*memfs.FS, []string) {
		return func(m *memfs.FS, _ []string) { clear(m.Names["/j/"+name].Data) }
	}
	region := func(d damage.Counts) bool { return d.Regions == 1 && d.Records == 3 }
	return []damageCase{
		{name: "none"},
		{name: "last frame cut short", apply: cutTail(5), lost: 3},
		{name: "last frame cut off", apply: func(m *memfs.FS, s []string) {
			at := framesIn(m, last(s))
			m.Names[last(s)].Data = m.Names[last(s)].Data[:at[len(at)-2]]
		}, lost: 3},
		{name: "last frame cut in its header", apply: func(m *memfs.FS, s []string) {
			at := framesIn(m, last(s))
			m.Names[last(s)].Data = m.Names[last(s)].Data[:at[len(at)-2]+20]
		}, lost: 3},
		{name: "last frame zeroed", apply: fill(0), lost: 3},
		{name: "last frame overwritten", apply: fill(0xA5), lost: 3},
		{name: "bit flip in the last frame", apply: func(m *memfs.FS, s []string) {
			d := m.Names[last(s)].Data
			d[len(d)-1] ^= 1
		}, lost: 3},
		{name: "garbage appended", apply: add(garbage)},
		{name: "zeros appended", apply: add(make([]byte, 5000))},
		{name: "header of a frame appended", apply: func(m *memfs.FS, s []string) {
			at := framesIn(m, s[0])
			add(bytes.Clone(m.Names[s[0]].Data[at[0]:at[0]+segment.FrameHeaderLen]))(m, s)
		}},
		{name: "old frames appended", apply: func(m *memfs.FS, s []string) {
			add(bytes.Clone(m.Names[s[0]].Data[segment.HeaderLen:]))(m, s)
		}},
		{name: "later frames appended to an earlier segment", apply: func(m *memfs.FS, s []string) {
			d := m.Names[s[0]]
			d.Data = append(d.Data, m.Names[s[2]].Data[segment.HeaderLen:]...)
		}},
		{name: "bit flip in a message", apply: flip(segment.FrameHeaderLen + 10), lost: 3, want: region},
		{name: "bit flip in a message's length", apply: flip(segment.FrameHeaderLen + 1), lost: 3, want: region},
		{name: "bit flip in the payload's length", apply: flip(12), lost: 3, want: region},
		{name: "bit flip high in the payload's length", apply: flip(15), lost: 3, want: region},
		{name: "bit flip in the count", apply: flip(16), lost: 3, want: region},
		{name: "bit flip in the number", apply: flip(24), lost: 3, want: region},
		{name: "bit flip in the index", apply: flip(32), lost: 3, want: region},
		{name: "bit flip in the time", apply: flip(50), lost: 3, want: region},
		{name: "bit flip in the mark", apply: flip(3), lost: 3, want: region},
		{
			name: "bit flip in a segment's header", apply: func(m *memfs.FS, s []string) { m.Names[s[1]].Data[40] ^= 1 },
			want: func(d damage.Counts) bool { return d.Regions == 1 && d.Records == 0 },
		},
		{name: "bit flip in the last segment's header", apply: func(m *memfs.FS, s []string) { m.Names[last(s)].Data[40] ^= 1 }},
		{name: "page of zeros across two frames", apply: func(m *memfs.FS, s []string) {
			at := framesIn(m, s[1])
			clear(m.Names[s[1]].Data[at[1]-3 : at[1]+3])
		}, lost: 6},
		{name: "frame doubled in place", apply: func(m *memfs.FS, s []string) {
			d, at := m.Names[s[1]], framesIn(m, s[1])
			d.Data = slices.Concat(d.Data[:at[2]], d.Data[at[1]:])
		}},
		{name: "frame removed", apply: func(m *memfs.FS, s []string) {
			d, at := m.Names[s[1]], framesIn(m, s[1])
			d.Data = slices.Concat(d.Data[:at[1]], d.Data[at[2]:])
		}, lost: 3},
		{name: "frames exchanged", apply: func(m *memfs.FS, s []string) {
			d, at := m.Names[s[1]], framesIn(m, s[1])
			d.Data = slices.Concat(d.Data[:at[1]], d.Data[at[2]:at[3]], d.Data[at[1]:at[2]], d.Data[at[3]:])
		}, lost: 3},
		{name: "end of a middle segment cut", apply: func(m *memfs.FS, s []string) {
			d := m.Names[s[1]]
			d.Data = d.Data[:len(d.Data)-1]
		}, lost: 3},
		{name: "empty file after the last segment", apply: func(m *memfs.FS, s []string) {
			m.Names["/j/"+segment.Name(healthyRecords+1)] = &memfs.Node{}
		}},
		{name: "garbage file after the last segment", apply: func(m *memfs.FS, s []string) {
			m.Names["/j/"+segment.Name(healthyRecords+1)] = &memfs.Node{Data: bytes.Clone(garbage)}
		}},
		{name: "file with an absurd number", apply: func(m *memfs.FS, s []string) {
			m.Names["/j/18446744073709551615.log"] = &memfs.Node{Data: bytes.Clone(garbage)}
		}},
		{
			name: "meta missing", apply: func(m *memfs.FS, _ []string) { delete(m.Names, "/j/meta") },
			want: func(d damage.Counts) bool { return d.Repairs == 1 },
		},
		{name: "meta empty", apply: func(m *memfs.FS, _ []string) { m.Names["/j/meta"].Data = nil }},
		{name: "meta with a bit flip", apply: func(m *memfs.FS, _ []string) { m.Names["/j/meta"].Data[25] ^= 2 }},
		{name: "state missing", apply: func(m *memfs.FS, _ []string) { delete(m.Names, "/j/state") }},
		{name: "state zeroed", apply: cutSlots("state"), want: func(d damage.Counts) bool { return d.Repairs == 1 }},
		{name: "meta and state missing", apply: func(m *memfs.FS, _ []string) {
			delete(m.Names, "/j/meta")
			delete(m.Names, "/j/state")
		}},
		{name: "newest slot of the state zeroed", apply: func(m *memfs.FS, _ []string) {
			clear(newestSlot(m.Names["/j/state"].Data))
		}},
		{name: "cursor zeroed", apply: cutSlots("cursor-r"), want: func(d damage.Counts) bool { return d.Cursors == 1 }},
		{name: "cursor empty", apply: func(m *memfs.FS, _ []string) { m.Names["/j/cursor-r"].Data = nil }},
		{name: "cursor missing", apply: func(m *memfs.FS, _ []string) { delete(m.Names, "/j/cursor-r") }},
		{name: "cursor of another journal", apply: func(m *memfs.FS, _ []string) {
			copy(m.Names["/j/cursor-r"].Data, slot.Encode(99, cursor.Encode(segment.Position{Next: 5, Index: 5}, 1)))
		}},
		{name: "lock with garbage", apply: func(m *memfs.FS, _ []string) { m.Names["/j/lock"].Data = bytes.Clone(garbage) }},
	}
}

// newestSlot returns the slot with the highest version.
func newestSlot(file []byte) (newest []byte) {
	version := uint64(0)
	for b := file; len(b) >= slot.Len; b = b[min(slot.Gap, len(b)):] {
		if v := binary.LittleEndian.Uint64(b[16:]); v > version {
			newest, version = b[:slot.Len], v
		}
	}
	return newest
}

// segmentDamageCases returns the cases in which the number of lost records depends on the
// segments of m.
func segmentDamageCases(m *memfs.FS) []damageCase {
	s := segmentsIn(m)
	in := func(i int) int { return 3 * (len(framesIn(m, s[i])) - 1) }
	return []damageCase{
		{name: "segment missing", apply: func(m *memfs.FS, s []string) { delete(m.Names, s[1]) }, lost: in(1)},
		{name: "first segment missing", apply: func(m *memfs.FS, s []string) { delete(m.Names, s[0]) }, lost: in(0)},
		{name: "last segment missing", apply: func(m *memfs.FS, s []string) { delete(m.Names, last(s)) }, lost: in(len(s) - 1)},
		{name: "segment empty", apply: func(m *memfs.FS, s []string) { m.Names[s[1]].Data = nil }, lost: in(1)},
		{name: "segment shorter than its header", apply: func(m *memfs.FS, s []string) {
			m.Names[s[1]].Data = m.Names[s[1]].Data[:10]
		}, lost: in(1)},
		{name: "last segment empty", apply: func(m *memfs.FS, s []string) { m.Names[last(s)].Data = nil }, lost: in(len(s) - 1)},
		{name: "segment zeroed", apply: func(m *memfs.FS, s []string) { clear(m.Names[s[1]].Data) }, lost: in(1)},
		{name: "segments swapped", apply: func(m *memfs.FS, s []string) {
			m.Names[s[1]], m.Names[s[2]] = m.Names[s[2]], m.Names[s[1]]
		}, lost: in(1) + in(2)},
		{name: "all segments missing", apply: func(m *memfs.FS, s []string) {
			for _, name := range s {
				delete(m.Names, name)
			}
		}, lost: healthyRecords},
	}
}

// TestDamagedJournalDeliversIntactRecords: after any damage to its files the journal opens, delivers the intact
// records, counts the others, and continues with unused numbers.
func TestDamagedJournalDeliversIntactRecords(t *testing.T) {
	healthy, _ := healthyJournal(t, true)
	for _, c := range append(damageCases(), segmentDamageCases(healthy)...) {
		for _, clean := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/clean=%v", c.name, clean), func(t *testing.T) {
				fs, texts := healthyJournal(t, clean)
				if tailBatches(fs, segmentsIn(fs)) < 2 || len(segmentsIn(fs)) < 4 {
					t.Fatal("the journal is too small for these cases")
				}
				if c.apply != nil {
					c.apply(fs, segmentsIn(fs))
				}
				d := checkDamaged(t, fs, texts, c.lost)
				if c.want != nil && !c.want(d) {
					t.Errorf("damage counted as %+v", d)
				}
			})
		}
	}
}

// checkDamaged opens a damaged journal and checks its records and counters.
func checkDamaged(t *testing.T, fs *memfs.FS, texts map[uint64]string, lost int) damage.Counts {
	t.Helper()
	before := fs.Clone()
	j := open(t, "/j", manualOptions(fs))
	r := reader(t, j, "r", FromOldest)
	put(t, j, "new")
	got, skipped := drain(t, r)
	if n := len(got); n == 0 || got[n-1] != (textRecord{j.Stats().Last, "new"}) {
		t.Fatalf("the new record did not arrive: %v", got)
	}
	if j.Stats().Last <= healthyRecords {
		t.Errorf("number %d was used again", j.Stats().Last)
	}
	got = got[:len(got)-1]
	(&history{texts: texts}).checkRecords(t, "damaged", got)
	if want := healthyRecords - lost; len(got) != want {
		t.Errorf("%d records, want %d", len(got), want)
	}
	if skipped > uint64(lost) {
		t.Errorf("%d records counted as skipped, lost were %d", skipped, lost)
	}
	// Records that are missing between intact records are counted exactly.
	if gaps := gapsIn(got); skipped < gaps {
		t.Errorf("%d records counted as skipped, %d are missing between others", skipped, gaps)
	}
	value, ok, err := slot.Read(before, "/j/state")
	if err == nil && ok && lost > 0 && state.Parse(value).Clean && before.Names["/j/cursor-r"] != nil && skipped != uint64(lost) {
		t.Errorf("%d records counted as skipped after a clean stop, lost were %d", skipped, lost)
	}
	return j.Stats().Damage
}
