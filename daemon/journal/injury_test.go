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
	patientBatches = 20
	patientRecords = 3 * patientBatches
)

// patient returns a healthy journal of several segments, whose last process has
// stopped cleanly or not, and the records in it.
func patient(t testing.TB, clean bool) (*memfs.FS, map[uint64]string) {
	t.Helper()
	fs := memfs.New()
	j := open(t, "/j", still(fs))
	reader(t, j, "r", FromOldest)
	texts := map[uint64]string{}
	for i := range patientBatches {
		put(t, j, uint64(i+1), text(3*i+1), text(3*i+2), text(3*i+3))
	}
	for seq := range uint64(patientRecords) {
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

// frames returns where the frames of a segment begin, and where the last ends.
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

// An injury is a damage to a journal that is not open.
type injury struct {
	name   string
	injure func(m *memfs.FS, segments []string)
	lost   int // records that are destroyed
	want   func(damage.Counts) bool
}

func injuries() []injury {
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
	return []injury{
		{name: "none"},
		{name: "last frame cut short", injure: cutTail(5), lost: 3},
		{name: "last frame cut off", injure: func(m *memfs.FS, s []string) {
			at := framesIn(m, last(s))
			m.Names[last(s)].Data = m.Names[last(s)].Data[:at[len(at)-2]]
		}, lost: 3},
		{name: "last frame cut in its header", injure: func(m *memfs.FS, s []string) {
			at := framesIn(m, last(s))
			m.Names[last(s)].Data = m.Names[last(s)].Data[:at[len(at)-2]+20]
		}, lost: 3},
		{name: "last frame zeroed", injure: fill(0), lost: 3},
		{name: "last frame overwritten", injure: fill(0xA5), lost: 3},
		{name: "bit flip in the last frame", injure: func(m *memfs.FS, s []string) {
			d := m.Names[last(s)].Data
			d[len(d)-1] ^= 1
		}, lost: 3},
		{name: "garbage appended", injure: add(garbage)},
		{name: "zeros appended", injure: add(make([]byte, 5000))},
		{name: "header of a frame appended", injure: func(m *memfs.FS, s []string) {
			at := framesIn(m, s[0])
			add(bytes.Clone(m.Names[s[0]].Data[at[0]:at[0]+segment.FrameHeaderLen]))(m, s)
		}},
		{name: "old frames appended", injure: func(m *memfs.FS, s []string) {
			add(bytes.Clone(m.Names[s[0]].Data[segment.HeaderLen:]))(m, s)
		}},
		{name: "later frames appended to an earlier segment", injure: func(m *memfs.FS, s []string) {
			d := m.Names[s[0]]
			d.Data = append(d.Data, m.Names[s[2]].Data[segment.HeaderLen:]...)
		}},
		{name: "bit flip in a message", injure: flip(segment.FrameHeaderLen + 10), lost: 3, want: region},
		{name: "bit flip in a message's length", injure: flip(segment.FrameHeaderLen + 1), lost: 3, want: region},
		{name: "bit flip in the payload's length", injure: flip(12), lost: 3, want: region},
		{name: "bit flip high in the payload's length", injure: flip(15), lost: 3, want: region},
		{name: "bit flip in the count", injure: flip(16), lost: 3, want: region},
		{name: "bit flip in the number", injure: flip(24), lost: 3, want: region},
		{name: "bit flip in the index", injure: flip(32), lost: 3, want: region},
		{name: "bit flip in the time", injure: flip(50), lost: 3, want: region},
		{name: "bit flip in the mark", injure: flip(3), lost: 3, want: region},
		{
			name: "bit flip in a segment's header", injure: func(m *memfs.FS, s []string) { m.Names[s[1]].Data[40] ^= 1 },
			want: func(d damage.Counts) bool { return d.Regions == 1 && d.Records == 0 },
		},
		{name: "bit flip in the last segment's header", injure: func(m *memfs.FS, s []string) { m.Names[last(s)].Data[40] ^= 1 }},
		{name: "page of zeros across two frames", injure: func(m *memfs.FS, s []string) {
			at := framesIn(m, s[1])
			clear(m.Names[s[1]].Data[at[1]-3 : at[1]+3])
		}, lost: 6},
		{name: "frame doubled in place", injure: func(m *memfs.FS, s []string) {
			d, at := m.Names[s[1]], framesIn(m, s[1])
			d.Data = slices.Concat(d.Data[:at[2]], d.Data[at[1]:])
		}},
		{name: "frame taken out", injure: func(m *memfs.FS, s []string) {
			d, at := m.Names[s[1]], framesIn(m, s[1])
			d.Data = slices.Concat(d.Data[:at[1]], d.Data[at[2]:])
		}, lost: 3},
		{name: "frames exchanged", injure: func(m *memfs.FS, s []string) {
			d, at := m.Names[s[1]], framesIn(m, s[1])
			d.Data = slices.Concat(d.Data[:at[1]], d.Data[at[2]:at[3]], d.Data[at[1]:at[2]], d.Data[at[3]:])
		}, lost: 3},
		{name: "end of a middle segment cut", injure: func(m *memfs.FS, s []string) {
			d := m.Names[s[1]]
			d.Data = d.Data[:len(d.Data)-1]
		}, lost: 3},
		{name: "empty file after the last segment", injure: func(m *memfs.FS, s []string) {
			m.Names["/j/"+segment.Name(patientRecords+1)] = &memfs.Node{}
		}},
		{name: "garbage file after the last segment", injure: func(m *memfs.FS, s []string) {
			m.Names["/j/"+segment.Name(patientRecords+1)] = &memfs.Node{Data: bytes.Clone(garbage)}
		}},
		{name: "file with an absurd number", injure: func(m *memfs.FS, s []string) {
			m.Names["/j/18446744073709551615.log"] = &memfs.Node{Data: bytes.Clone(garbage)}
		}},
		{
			name: "meta missing", injure: func(m *memfs.FS, _ []string) { delete(m.Names, "/j/meta") },
			want: func(d damage.Counts) bool { return d.Repairs == 1 },
		},
		{name: "meta empty", injure: func(m *memfs.FS, _ []string) { m.Names["/j/meta"].Data = nil }},
		{name: "meta with a bit flip", injure: func(m *memfs.FS, _ []string) { m.Names["/j/meta"].Data[25] ^= 2 }},
		{name: "state missing", injure: func(m *memfs.FS, _ []string) { delete(m.Names, "/j/state") }},
		{name: "state zeroed", injure: cutSlots("state"), want: func(d damage.Counts) bool { return d.Repairs == 1 }},
		{name: "meta and state missing", injure: func(m *memfs.FS, _ []string) {
			delete(m.Names, "/j/meta")
			delete(m.Names, "/j/state")
		}},
		{name: "newest slot of the state zeroed", injure: func(m *memfs.FS, _ []string) {
			clear(newestSlot(m.Names["/j/state"].Data))
		}},
		{name: "cursor zeroed", injure: cutSlots("cursor-r"), want: func(d damage.Counts) bool { return d.Cursors == 1 }},
		{name: "cursor empty", injure: func(m *memfs.FS, _ []string) { m.Names["/j/cursor-r"].Data = nil }},
		{name: "cursor missing", injure: func(m *memfs.FS, _ []string) { delete(m.Names, "/j/cursor-r") }},
		{name: "cursor of another journal", injure: func(m *memfs.FS, _ []string) {
			copy(m.Names["/j/cursor-r"].Data, slot.Encode(99, cursor.Encode(segment.Position{Next: 5, Index: 5}, 1)))
		}},
		{name: "lock with garbage", injure: func(m *memfs.FS, _ []string) { m.Names["/j/lock"].Data = bytes.Clone(garbage) }},
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

// segmentInjuries lose a number of records that depends on the segments.
func segmentInjuries(m *memfs.FS) []injury {
	s := segmentsIn(m)
	in := func(i int) int { return 3 * (len(framesIn(m, s[i])) - 1) }
	return []injury{
		{name: "segment missing", injure: func(m *memfs.FS, s []string) { delete(m.Names, s[1]) }, lost: in(1)},
		{name: "first segment missing", injure: func(m *memfs.FS, s []string) { delete(m.Names, s[0]) }, lost: in(0)},
		{name: "last segment missing", injure: func(m *memfs.FS, s []string) { delete(m.Names, last(s)) }, lost: in(len(s) - 1)},
		{name: "segment empty", injure: func(m *memfs.FS, s []string) { m.Names[s[1]].Data = nil }, lost: in(1)},
		{name: "segment shorter than its header", injure: func(m *memfs.FS, s []string) {
			m.Names[s[1]].Data = m.Names[s[1]].Data[:10]
		}, lost: in(1)},
		{name: "last segment empty", injure: func(m *memfs.FS, s []string) { m.Names[last(s)].Data = nil }, lost: in(len(s) - 1)},
		{name: "segment zeroed", injure: func(m *memfs.FS, s []string) { clear(m.Names[s[1]].Data) }, lost: in(1)},
		{name: "segments swapped", injure: func(m *memfs.FS, s []string) {
			m.Names[s[1]], m.Names[s[2]] = m.Names[s[2]], m.Names[s[1]]
		}, lost: in(1) + in(2)},
		{name: "all segments missing", injure: func(m *memfs.FS, s []string) {
			for _, name := range s {
				delete(m.Names, name)
			}
		}, lost: patientRecords},
	}
}

// TestInjuries: the journal opens, delivers the intact records, counts the others, and
// continues with unused numbers, after any damage to its files.
func TestInjuries(t *testing.T) {
	healthy, _ := patient(t, true)
	for _, c := range append(injuries(), segmentInjuries(healthy)...) {
		for _, clean := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/clean=%v", c.name, clean), func(t *testing.T) {
				fs, texts := patient(t, clean)
				if tailBatches(fs, segmentsIn(fs)) < 2 || len(segmentsIn(fs)) < 4 {
					t.Fatal("the patient is too small for the injuries")
				}
				if c.injure != nil {
					c.injure(fs, segmentsIn(fs))
				}
				d := survive(t, fs, texts, c.lost)
				if c.want != nil && !c.want(d) {
					t.Errorf("damage counted as %+v", d)
				}
			})
		}
	}
}

// survive opens an injured journal and holds it to its promises.
func survive(t *testing.T, fs *memfs.FS, texts map[uint64]string, lost int) damage.Counts {
	t.Helper()
	before := fs.Clone()
	j := open(t, "/j", still(fs))
	r := reader(t, j, "r", FromOldest)
	put(t, j, 1000, "new")
	got, skipped := drain(t, r)
	if n := len(got); n == 0 || got[n-1] != (seen{j.Stats().Last, "new"}) {
		t.Fatalf("the new record did not arrive: %v", got)
	}
	if j.Stats().Last <= patientRecords {
		t.Errorf("number %d was used again", j.Stats().Last)
	}
	got = got[:len(got)-1]
	(&story{texts: texts}).checkRecords(t, "injured", got)
	if want := patientRecords - lost; len(got) != want {
		t.Errorf("%d records, want %d", len(got), want)
	}
	if skipped > uint64(lost) {
		t.Errorf("%d records counted as skipped, lost were %d", skipped, lost)
	}
	// Between intact records the count is exact.
	if gaps := gapsIn(got); skipped < gaps {
		t.Errorf("%d records counted as skipped, %d are missing between others", skipped, gaps)
	}
	value, ok, err := slot.Read(before, "/j/state")
	if err == nil && ok && lost > 0 && state.Parse(value).Clean && before.Names["/j/cursor-r"] != nil && skipped != uint64(lost) {
		t.Errorf("%d records counted as skipped after a clean stop, lost were %d", skipped, lost)
	}
	return j.Stats().Damage
}
