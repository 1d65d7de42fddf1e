// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/layout"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/state"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// The journal of these tests has three segments of three batches, of two records each:
// the numbers 1 to 6, 7 to 12 and 13 to 18. Two readers have read to 1 and to 10.
const (
	batches    = 3
	perBatch   = 2
	perSegment = batches * perBatch
	records    = 3 * perSegment
)

var who = segment.Identity{ID: 1, Mark: 0x0123456789abcdef}

// files returns the files of the journal by name. clean means that it was closed.
func files(clean bool) map[string][]byte {
	s := state.Value{Identity: who, Reserved: 1000, Clean: clean, Oldest: 1, Newest: 1 + 2*perSegment}
	if clean {
		s.Position, s.Generation = segment.Position{Next: records + 1, Index: records}, 3*batches
	}
	list := map[string][]byte{
		layout.MetaName:     layout.EncodeMeta(who),
		layout.StateName:    slot.Encode(1, s.Encode()),
		layout.LockName:     nil,
		cursor.Prefix + "a": slot.Encode(1, cursor.Encode(segment.Position{Next: 1}, who.ID)),
		cursor.Prefix + "b": slot.Encode(1, cursor.Encode(segment.Position{Next: 10, Index: 9}, who.ID)),
	}
	generation := uint64(0)
	for first := uint64(1); first < records; first += perSegment {
		h := segment.Header{Identity: who, First: first, Index: first - 1, Generation: generation}
		b := h.Encode()
		for next := first; next < first+perSegment; next += perBatch {
			generation++
			f := segment.Frame{First: next, Index: next - 1, Generation: generation, Time: 1}
			b = segment.AppendFrame(b, who.Mark, &f, [][]byte{fmt.Appendf(nil, "record %d", next), fmt.Appendf(nil, "record %d", next+1)})
		}
		list[segment.Name(first)] = b
	}
	return list
}

// frameLen is the length of a frame of the middle segment's first batch.
func frameLen() int { return segment.FrameHeaderLen + len("....record 7....record 8") }

func inMemory(list map[string][]byte) *memfs.FS {
	fs := memfs.New()
	for name, data := range list {
		fs.Names["/j/"+name] = &memfs.Node{Data: data}
	}
	return fs
}

func check(t testing.TB, fs vfs.FS) (sum Summary, problems []Problem, numbers []uint64) {
	t.Helper()
	sum, err := CheckFS(fs, "/j", func(p Problem) { problems = append(problems, p) }, func(f *segment.Frame) error {
		for i := range f.Count {
			numbers = append(numbers, f.First+i)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Problems != len(problems) || sum.Records != uint64(len(numbers)) {
		t.Errorf("%d problems and %d records were passed, the summary is %+v", len(problems), len(numbers), sum)
	}
	return sum, problems, numbers
}

func TestJournalWithoutDamage(t *testing.T) {
	for _, clean := range []bool{true, false} {
		list := files(clean)
		size := int64(0)
		for first := uint64(1); first < records; first += perSegment {
			size += int64(len(list[segment.Name(first)]))
		}
		fs := inMemory(list)
		sum, problems, _ := check(t, fs)
		want := Summary{
			ID: layout.FormatID(who.ID), Segments: 3, Bytes: size, Records: records, First: 1, Last: records, Generation: 3 * batches,
			Cursors: []Place{{Name: "a", Next: 1, Waiting: records}, {Name: "b", Next: 10, Waiting: records - 9}},
		}
		if diff := cmp.Diff(want, sum, cmpopts.IgnoreUnexported(Place{})); diff != "" || len(problems) > 0 {
			t.Errorf("clean %v: %v; summary (-want +got):\n%s", clean, problems, diff)
		}
		if len(fs.Ops) > 0 {
			t.Error("a file was changed")
		}
	}
}

// TestCheckReportsEachDamage damages one part at a time, and expects exactly these problems.
func TestCheckReportsEachDamage(t *testing.T) {
	first, middle, last := segment.Name(1), segment.Name(1+perSegment), segment.Name(1+2*perSegment)
	frame := int64(frameLen())
	second := segment.HeaderLen + frame // offset of the middle segment's second frame
	for name, test := range map[string]struct {
		injure  func(list map[string][]byte)
		want    []string // file, offset, bytes and text of each problem
		lost    int
		missing uint64
	}{
		"no meta": {
			injure: func(l map[string][]byte) { delete(l, layout.MetaName) },
			want:   []string{"meta 0 0 missing; the next start rewrites it"},
		},
		"a damaged meta": {
			injure: func(l map[string][]byte) { l[layout.MetaName][30] ^= 1 },
			want:   []string{"meta 0 0 damaged; the next start rewrites it"},
		},
		"the meta of another journal": {
			injure: func(l map[string][]byte) { l[layout.MetaName] = layout.EncodeMeta(segment.Identity{ID: 9}) },
			want:   []string{"meta 0 0 of another journal; the next start rewrites it"},
		},
		"no state": {
			injure: func(l map[string][]byte) { delete(l, layout.StateName) },
			want:   []string{"state 0 0 missing; the next start resets it"},
		},
		"a damaged state": {
			injure: func(l map[string][]byte) { l[layout.StateName][40] ^= 1 },
			want:   []string{"state 0 0 damaged; the next start resets it"},
		},
		"a damaged cursor": {
			injure: func(l map[string][]byte) { l[cursor.Prefix+"a"][40] ^= 1 },
			want:   []string{"cursor-a 0 0 damaged; its reader begins again with the oldest record"},
		},
		"the cursor of another journal": {
			injure: func(l map[string][]byte) {
				l[cursor.Prefix+"a"] = slot.Encode(1, cursor.Encode(segment.Position{Next: 1}, 9))
			},
			want: []string{"cursor-a 0 0 damaged; its reader begins again with the oldest record"},
		},
		"a bit of a batch": {
			injure: func(l map[string][]byte) { l[middle][second+70] ^= 1 },
			want: []string{
				fmt.Sprintf("%s %d %d no valid batch", middle, second, frame+int64(len("10")-len("8"))),
				fmt.Sprintf("%s %d 0 records are missing before this offset", middle, second+frame+1),
			},
			lost: perBatch, missing: perBatch,
		},
		"a bit of a header": {
			injure: func(l map[string][]byte) { l[middle][20] ^= 1 },
			want:   []string{middle + " 0 64 damaged segment header"},
		},
		"no first segment": {
			injure: func(l map[string][]byte) { delete(l, first) },
			want:   []string{first + " 0 0 missing, and perhaps segments after it: the journal has not removed it"},
			lost:   perSegment,
		},
		"no middle segment": {
			injure: func(l map[string][]byte) { delete(l, middle) },
			want:   []string{last + " 0 0 records are missing before this offset"},
			lost:   perSegment, missing: perSegment,
		},
		"no last segment": {
			injure: func(l map[string][]byte) { delete(l, last) },
			want:   []string{last + " 0 0 missing, and perhaps segments before it", ". 0 0 records are missing at the end"},
			lost:   perSegment, missing: perSegment,
		},
		"the last batch is torn": {
			injure: func(l map[string][]byte) { l[last] = l[last][:len(l[last])-5] },
			want: []string{
				fmt.Sprintf("%s %d %d no valid batch", last, segment.HeaderLen+2*(frame+2), frame+2-5),
				". 0 0 records are missing at the end",
			},
			lost: perBatch, missing: perBatch,
		},
		"the last segment is cut in its header": {
			injure: func(l map[string][]byte) { l[last] = l[last][:20] },
			want:   []string{last + " 0 20 neither a segment header nor a batch", ". 0 0 records are missing at the end"},
			lost:   perSegment, missing: perSegment,
		},
		"a copied segment": {
			injure: func(l map[string][]byte) { l[segment.Name(100)] = l[first] },
			want:   []string{segment.Name(100) + " 0 SIZE not a part of this journal: copied, renamed, or of another journal"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			list := files(true)
			size := len(list[first])
			test.injure(list)
			sum, problems, numbers := check(t, inMemory(list))
			var got []string
			for _, p := range problems {
				path, err := filepath.Rel("/j", p.Path)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%s %d %d %s", path, p.Offset, p.Bytes, p.What))
			}
			for i := range test.want {
				test.want[i] = strings.Replace(test.want[i], "SIZE", fmt.Sprint(size), 1)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if len(numbers) != records-test.lost || sum.Missing != test.missing {
				t.Errorf("%d records, %d missing, want %d and %d", len(numbers), sum.Missing, records-test.lost, test.missing)
			}
		})
	}
}

// TestIncompleteLastWriteIsNotAProblem: a running or killed process leaves such a write.
func TestIncompleteLastWriteIsNotAProblem(t *testing.T) {
	last := segment.Name(1 + 2*perSegment)
	whole := len(files(false)[last])
	for left := range whole {
		list := files(false)
		list[last] = list[last][:left]
		sum, problems, _ := check(t, inMemory(list))
		if len(problems) > 0 || int(sum.Records) < 2*perSegment {
			t.Errorf("%d of %d bytes are left: %v, %+v", left, whole, problems, sum)
		}
	}
}

func TestUnreadableFileIsAProblem(t *testing.T) {
	for name := range files(true) {
		if name == layout.LockName {
			continue
		}
		t.Run(name, func(t *testing.T) {
			fs := inMemory(files(true))
			fs.Fail = func(o memfs.Op) error {
				if o.Name == "/j/"+name && (o.Kind == memfs.Read || o.Kind == memfs.Open) {
					return unix.EACCES
				}
				return nil
			}
			_, problems, _ := check(t, fs)
			if len(problems) == 0 || problems[0].Path != "/j/"+name || problems[0].What != "cannot be read: permission denied" {
				t.Errorf("problems %+v", problems)
			}
		})
	}
}

func TestIrregularFileIsAProblem(t *testing.T) {
	fs := inMemory(files(true))
	fs.Names["/j/"+layout.LockName].Kind = "FIFO"
	if _, problems, _ := check(t, fs); len(problems) != 1 || !strings.HasSuffix(problems[0].What, "FIFO") {
		t.Errorf("problems %+v", problems)
	}
}

func TestCheckRejectsOtherDirectories(t *testing.T) {
	const line = "genltestd-journal format=2 "
	newer := fmt.Appendf(nil, "%s crc=%08x\n", line, crc32.Checksum([]byte(line), crc32.MakeTable(crc32.Castagnoli)))
	for name, test := range map[string]struct {
		list map[string][]byte
		want error
	}{
		"empty":           {nil, layout.ErrForeign},
		"foreign":         {map[string][]byte{"photo.jpg": nil}, layout.ErrForeign},
		"a damaged meta":  {map[string][]byte{layout.MetaName: newer[1:]}, layout.ErrForeign},
		"newer":           {map[string][]byte{layout.MetaName: newer, segment.Name(1): nil}, layout.ErrNewer},
		"without content": {map[string][]byte{segment.Name(1): nil}, layout.ErrForeign},
	} {
		_, err := CheckFS(inMemory(test.list), "/j", func(p Problem) { t.Error(p) }, nil)
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), "journal /j") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckReturnsErrorOfVisit(t *testing.T) {
	stop, visits := errors.New("stop"), 0
	_, err := CheckFS(inMemory(files(true)), "/j", func(p Problem) { t.Error(p) }, func(*segment.Frame) error {
		if visits++; visits == 4 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || visits != 4 {
		t.Errorf("%v after %d frames", err, visits)
	}
}

func TestDumpPassesEachRecord(t *testing.T) {
	dir := t.TempDir()
	for name, data := range files(true) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	next := uint64(1)
	sum, err := Dump(dir, func(id string, r segment.Record) error {
		if id != layout.FormatID(who.ID) || r.Seq != next || r.Index != next-1 || string(r.Data) != fmt.Sprintf("record %d", next) {
			t.Errorf("journal %s: %+v, want record %d", id, r, next)
		}
		next++
		return nil
	})
	if err != nil || sum.Records != records || next != records+1 {
		t.Errorf("%+v, %v", sum, err)
	}
	if sum, err := Check(dir, func(p Problem) { t.Error(p) }); err != nil || sum.Records != records {
		t.Errorf("%+v, %v", sum, err)
	}
}

// FuzzCheck changes one byte of one file, or cuts the file: the check returns, each record
// that it finds was written, and a loss of records is reported.
func FuzzCheck(f *testing.F) {
	f.Add(byte(0), uint16(5), byte(1), false)
	f.Add(byte(5), uint16(100), byte(0x80), false)
	f.Add(byte(7), uint16(65), byte(0), true)
	names := []string{
		layout.MetaName, layout.StateName, cursor.Prefix + "a", cursor.Prefix + "b",
		segment.Name(1), segment.Name(1 + perSegment), segment.Name(1 + 2*perSegment),
	}
	f.Fuzz(func(t *testing.T, file byte, off uint16, change byte, cut bool) {
		list := files(true)
		name := names[int(file)%len(names)]
		at := int(off) % len(list[name])
		list[name][at] ^= change
		if cut {
			list[name] = list[name][:at]
		}
		sum, problems, numbers := check(t, inMemory(list))
		for i, n := range numbers {
			if n < 1 || n > records || i > 0 && n <= numbers[i-1] {
				t.Errorf("record %d after %v", n, numbers[:i])
			}
		}
		if len(numbers) < records && len(problems) == 0 {
			t.Errorf("%d of %d records, and no problem: %+v", len(numbers), records, sum)
		}
	})
}
