// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"testing"

	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/verify"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

func TestVerifyAndDumpReadOpenJournal(t *testing.T) {
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

func TestVerifyFindsDamage(t *testing.T) {
	for _, c := range damageCases() {
		if c.lost == 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			fs, _ := healthyJournal(t, true)
			c.apply(fs, segmentsIn(fs))
			steps := len(fs.Ops)
			found := 0
			sum, err := verify.CheckFS(fs, "/j", func(verify.Problem) { found++ }, func(*segment.Frame) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			if found == 0 {
				t.Error("Verify does not report the damage")
			}
			if sum.Records != uint64(healthyRecords-c.lost) {
				t.Errorf("%d records, want %d", sum.Records, healthyRecords-c.lost)
			}
			if len(fs.Ops) != steps {
				t.Error("Verify has changed a file")
			}
		})
	}
}

// TestVerifyAcceptsIncompleteLastWrite: a power cut leaves such a write, and a
// check of a running daemon can read it.
func TestVerifyAcceptsIncompleteLastWrite(t *testing.T) {
	for name, cut := range map[string]func(*memfs.Node){
		"last batch":     func(n *memfs.Node) { n.Data = n.Data[:len(n.Data)-5] },
		"segment header": func(n *memfs.Node) { n.Data = n.Data[:20] },
		"empty segment":  func(n *memfs.Node) { n.Data = nil },
	} {
		for _, clean := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/clean=%v", name, clean), func(t *testing.T) {
				fs, _ := healthyJournal(t, clean)
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

// TestVerifyDuringRetention: segments that retention removes during the check are
// not missing.
func TestVerifyDuringRetention(t *testing.T) {
	fs, _ := healthyJournal(t, false)
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
	fs, _ := healthyJournal(t, true)
	s := segmentsIn(fs)
	for _, name := range s[:3] {
		fs.Names[name].Data[framesIn(fs, name)[0]+60] ^= 1
	}
	fs.Names["/j/"+damage.QuarantineName+"/other"] = &memfs.Node{Data: make([]byte, damage.MaxQuarantineBytes-300)} // space for one piece
	j := open(t, "/j", manualOptions(fs))
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
