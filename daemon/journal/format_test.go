// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/layout"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/state"
	"github.com/genltestd/genltestd/daemon/journal/verify"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

func withCRC(line []byte) []byte {
	return fmt.Appendf(nil, "%s crc=%08x\n", line, crc32.Checksum(line, crc32.MakeTable(crc32.Castagnoli)))
}

func TestMetaOfThisVersion(t *testing.T) {
	who := segment.Identity{ID: 0x0123456789abcdef, Mark: 42}
	if got, ok, err := layout.ParseMeta(layout.EncodeMeta(who)); got != who || !ok || err != nil {
		t.Errorf("got %v, %v, %v", got, ok, err)
	}
}

func TestVerifyAndDumpReadAJournalInUse(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentBytes: 1000})
	fill(t, j, 10)
	var problems []verify.Problem
	sum, err := verify.Check(dir, func(p verify.Problem) { problems = append(problems, p) })
	if err != nil || len(problems) > 0 || sum.Records != 10 || sum.Last != 10 || sum.ID != j.ID() || sum.Generation != 10 {
		t.Errorf("got %+v, %v, %v", sum, problems, err)
	}
	n := 0
	stop := errors.New("stop")
	_, err = verify.Dump(dir, func(id string, r segment.Record) error {
		if id != j.ID() {
			t.Errorf("id %q, want %q", id, j.ID())
		}
		if n++; r.Seq == 7 {
			return stop
		}
		return nil
	})
	if n != 7 || !errors.Is(err, stop) {
		t.Errorf("dumped %d, %v", n, err)
	}
}

func TestVerifyFindsInjuries(t *testing.T) {
	for _, c := range injuries() {
		if c.lost == 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			fs, _ := patient(t, true)
			c.injure(fs, segmentsIn(fs))
			steps := len(fs.Ops)
			found := 0
			sum, err := verify.CheckFS(fs, "/j", func(verify.Problem) { found++ }, func(*segment.Frame) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			if found == 0 {
				t.Error("not found")
			}
			if sum.Records != uint64(patientRecords-c.lost) {
				t.Errorf("%d records, want %d", sum.Records, patientRecords-c.lost)
			}
			if len(fs.Ops) != steps {
				t.Error("Verify has changed something")
			}
		})
	}
}

// TestVerifyCallsAWriteThatHasNotEndedNoDamage: a power cut leaves it, and it is visible
// while a daemon writes.
func TestVerifyCallsAWriteThatHasNotEndedNoDamage(t *testing.T) {
	for name, cut := range map[string]func(*memfs.Node){
		"last batch":     func(n *memfs.Node) { n.Data = n.Data[:len(n.Data)-5] },
		"segment header": func(n *memfs.Node) { n.Data = n.Data[:20] },
		"empty segment":  func(n *memfs.Node) { n.Data = nil },
	} {
		for _, clean := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/clean=%v", name, clean), func(t *testing.T) {
				fs, _ := patient(t, clean)
				cut(fs.Names[last(segmentsIn(fs))])
				sum, err := verify.CheckFS(fs, "/j", func(p verify.Problem) { t.Log(p) }, func(*segment.Frame) error { return nil })
				if err != nil {
					t.Fatal(err)
				}
				if damaged := sum.Problems > 0; damaged != clean || clean && sum.Missing == 0 {
					t.Errorf("got %+v", sum)
				}
			})
		}
	}
}

// TestVerifyBesideADaemonThatRemoves: segments that are removed during the check are not
// missing.
func TestVerifyBesideADaemonThatRemoves(t *testing.T) {
	fs, _ := patient(t, false)
	segments := segmentsIn(fs)
	sum, err := verify.CheckFS(fs, "/j", func(p verify.Problem) { t.Error(p) }, func(*segment.Frame) error {
		for _, name := range segments[:3] {
			delete(fs.Names, name)
		}
		return nil
	})
	if err != nil || sum.Segments != len(segments)-2 {
		t.Errorf("%+v, %v", sum, err)
	}
}

func TestQuarantineIsBounded(t *testing.T) {
	fs, _ := patient(t, true)
	s := segmentsIn(fs)
	for _, name := range s[:3] {
		fs.Names[name].Data[framesIn(fs, name)[0]+60] ^= 1
	}
	fs.Names["/j/"+damage.QuarantineName+"/other"] = &memfs.Node{Data: make([]byte, damage.MaxQuarantineBytes-300)} // space for one
	j := open(t, "/j", still(fs))
	drain(t, reader(t, j, "r", FromOldest))
	if d := j.Stats().Damage; d.Regions != 3 {
		t.Fatalf("damage %+v", d)
	}
	kept := 0
	for name := range fs.Names {
		if len(name) > 4 && name[len(name)-4:] == ".bad" {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("%d pieces in quarantine, want 1", kept)
	}
}

// FuzzSegment: for any content a scan ends, and returns frames of the segment, in order.
func FuzzSegment(f *testing.F) {
	fs, _ := patient(f, true)
	mark := uint64(0)
	for _, name := range segmentsIn(fs) {
		h, _ := segment.ParseHeader(fs.Names[name].Data)
		mark = h.Mark
		f.Add(fs.Names[name].Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if h, ok := segment.ParseHeader(data); ok {
			mark = h.Mark
		}
		size := int64(len(data))
		covered := min(size, segment.HeaderLen)
		s := segment.Scanner{Mark: mark, Damaged: func(_, length int64) { covered += length }}
		m := memfs.New()
		m.Names["/s"] = &memfs.Node{Data: data}
		file, _ := m.Open("/s", 0)
		s.Reset(file, covered, size, 1, segment.MaxSeq)
		next := uint64(1)
		for {
			fr, err := s.Next()
			if err != nil {
				break
			}
			if fr.First < next {
				t.Fatalf("number %d after %d", fr.First, next)
			}
			next = fr.End()
			covered += fr.Length
			rest := fr.Payload
			for range fr.Count {
				_, rest = segment.Message(rest)
			}
		}
		if covered != size {
			t.Fatalf("%d of %d bytes are accounted for", covered, size)
		}
	})
}

func FuzzValues(f *testing.F) {
	f.Add((&state.Value{Reserved: 1, Clean: true}).Encode())
	f.Add(cursor.Encode(segment.Position{Next: 5, Index: 5}, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		state.Parse(b)
		if _, ok := cursor.Parse(b, 1); ok && len(b) != slot.ValueLen {
			t.Fatalf("a value of %d bytes is a position", len(b))
		}
	})
}

func FuzzMeta(f *testing.F) {
	f.Add(layout.EncodeMeta(segment.Identity{ID: 1, Mark: 2}))
	f.Add(withCRC([]byte("genltestd-journal format=9 x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, ok, err := layout.ParseMeta(b); ok && err != nil {
			t.Fatal("both valid and not")
		}
	})
}
