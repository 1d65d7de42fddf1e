// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"
)

func withCRC(line []byte) []byte {
	return fmt.Appendf(nil, "%s crc=%08x\n", line, crc32.Checksum(line, castagnoli))
}

func TestMetaOfThisVersion(t *testing.T) {
	who := identity{0x0123456789abcdef, 42}
	if got, ok, err := parseMeta(encodeMeta(who)); got != who || !ok || err != nil {
		t.Errorf("got %v, %v, %v", got, ok, err)
	}
}

// TestSlotTornAnywhere: whatever part of a write reaches the disk, the value is
// the old one or the new one.
func TestSlotTornAnywhere(t *testing.T) {
	fs := newMemFS()
	s, err := createSlots(fs, "/s", []byte("value 0"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 5; i++ {
		before := fs.clone()
		if err := s.write(fmt.Appendf(nil, "value %d", i)); err != nil {
			t.Fatal(err)
		}
		w := fs.ops[len(fs.ops)-1]
		for torn := range len(w.data) + 1 {
			cut := before.clone()
			d := cut.names["/s"]
			d.data = overwrite(d.data, w.off, w.data[:torn])
			value, ok, err := readSlots(cut, "/s")
			old, now := fmt.Sprint("value ", i-1), fmt.Sprint("value ", i)
			if got := string(bytes.TrimRight(value, "\x00")); err != nil || !ok || got != old && got != now {
				t.Fatalf("torn after %d bytes: %q, %v, %v", torn, got, ok, err)
			}
		}
		if err := s.sync(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVerifyAndDumpReadAJournalInUse(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentBytes: 1000})
	fill(t, j, 10)
	var problems []Problem
	sum, err := Verify(dir, func(p Problem) { problems = append(problems, p) })
	if err != nil || len(problems) > 0 || sum.Records != 10 || sum.Last != 10 || sum.ID != j.ID() || sum.Generation != 10 {
		t.Errorf("got %+v, %v, %v", sum, problems, err)
	}
	n := 0
	stop := errors.New("stop")
	_, err = Dump(dir, func(id string, r Record) error {
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
			c.injure(fs, fs.segments())
			steps := len(fs.ops)
			found := 0
			check := checker{fs: fs, dir: "/j", report: func(Problem) { found++ }}
			if err := check.check(func(*frame) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if found == 0 {
				t.Error("not found")
			}
			if check.sum.Records != uint64(patientRecords-c.lost) {
				t.Errorf("%d records, want %d", check.sum.Records, patientRecords-c.lost)
			}
			if len(fs.ops) != steps {
				t.Error("Verify has changed something")
			}
		})
	}
}

// TestVerifyCallsAWriteThatHasNotEndedNoDamage: it is what a power cut leaves,
// and what a daemon that is writing shows.
func TestVerifyCallsAWriteThatHasNotEndedNoDamage(t *testing.T) {
	for name, cut := range map[string]func(*node){
		"last batch":     func(n *node) { n.data = n.data[:len(n.data)-5] },
		"segment header": func(n *node) { n.data = n.data[:20] },
		"empty segment":  func(n *node) { n.data = nil },
	} {
		for _, clean := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/clean=%v", name, clean), func(t *testing.T) {
				fs, _ := patient(t, clean)
				cut(fs.names[last(fs.segments())])
				check := checker{fs: fs, dir: "/j", report: func(p Problem) { t.Log(p) }}
				if err := check.check(func(*frame) error { return nil }); err != nil {
					t.Fatal(err)
				}
				if damaged := check.sum.Problems > 0; damaged != clean || clean && check.sum.Missing == 0 {
					t.Errorf("got %+v", check.sum)
				}
			})
		}
	}
}

// TestVerifyBesideADaemonThatRemoves: what is removed during the check is not
// missing.
func TestVerifyBesideADaemonThatRemoves(t *testing.T) {
	fs, _ := patient(t, false)
	segments := fs.segments()
	check := checker{fs: fs, dir: "/j", report: func(p Problem) { t.Error(p) }}
	err := check.check(func(*frame) error {
		for _, name := range segments[:3] {
			delete(fs.names, name)
		}
		return nil
	})
	if err != nil || check.sum.Segments != len(segments)-2 {
		t.Errorf("%+v, %v", check.sum, err)
	}
}

func TestQuarantineIsBounded(t *testing.T) {
	fs, _ := patient(t, true)
	s := fs.segments()
	for _, name := range s[:3] {
		fs.names[name].data[fs.frames(name)[0]+60] ^= 1
	}
	j := open(t, "/j", still(fs))
	j.quarantine = maxQuarantineBytes - 300 // room for one
	drain(t, reader(t, j, "r", FromOldest))
	if d := j.Damage(); d.Regions != 3 {
		t.Fatalf("damage %+v", d)
	}
	kept := 0
	for name := range fs.names {
		if len(name) > 4 && name[len(name)-4:] == ".bad" {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("%d pieces in quarantine, want 1", kept)
	}
}

// FuzzSegment: whatever is in a segment, a scan ends, and what it returns is
// within it, in order.
func FuzzSegment(f *testing.F) {
	fs, _ := patient(f, true)
	mark := uint64(0)
	for _, name := range fs.segments() {
		h, _ := parseSegmentHeader(fs.names[name].data)
		mark = h.mark
		f.Add(fs.names[name].data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if h, ok := parseSegmentHeader(data); ok {
			mark = h.mark
		}
		size := int64(len(data))
		covered := min(size, segmentHeaderLen)
		s := scanner{mark: mark, damaged: func(_, length int64) { covered += length }}
		m := newMemFS()
		m.names["/s"] = &node{data: data}
		file, _ := m.Open("/s", 0)
		s.reset(file, covered, size, 1, maxSeq)
		next := uint64(1)
		for {
			fr, err := s.next()
			if err != nil {
				break
			}
			if fr.first < next {
				t.Fatalf("number %d after %d", fr.first, next)
			}
			next = fr.end()
			covered += fr.length
			rest := fr.payload
			for range fr.count {
				_, rest = message(rest)
			}
		}
		if covered != size {
			t.Fatalf("%d of %d bytes are accounted for", covered, size)
		}
	})
}

func FuzzSlots(f *testing.F) {
	fs, _ := patient(f, true)
	f.Add(fs.names["/j/state"].data)
	f.Add(fs.names["/j/cursor-r"].data)
	f.Fuzz(func(t *testing.T, data []byte) {
		m := newMemFS()
		m.names["/s"] = &node{data: data}
		file, _ := m.Open("/s", 0)
		s, value, ok, err := scanSlots(file)
		if err != nil || s.turn < 0 || s.turn >= slotCount || ok && s.turn == s.durable {
			t.Fatalf("turn %d, %v", s.turn, err)
		}
		if ok {
			parseState(value)
			parsePosition(value, 1)
		}
	})
}

func FuzzMeta(f *testing.F) {
	f.Add(encodeMeta(identity{1, 2}))
	f.Add(withCRC([]byte("genltestd-journal format=9 x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, ok, err := parseMeta(b); ok && err != nil {
			t.Fatal("both valid and not")
		}
	})
}
