// SPDX-License-Identifier: Apache-2.0

package powercut

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A logger writes a log like QEMU.
type logger struct{ b []byte }

func (l *logger) entry(sector, count, flags uint64, data []byte) {
	if l.b == nil {
		l.b = make([]byte, sectorLen)
		binary.LittleEndian.PutUint64(l.b, logMagic)
		binary.LittleEndian.PutUint64(l.b[8:], 1)
		binary.LittleEndian.PutUint32(l.b[24:], sectorLen)
	}
	binary.LittleEndian.PutUint64(l.b[16:], binary.LittleEndian.Uint64(l.b[16:])+1)
	head := make([]byte, sectorLen)
	for i, v := range []uint64{sector, count, flags} {
		binary.LittleEndian.PutUint64(head[8*i:], v)
	}
	l.b = append(append(l.b, head...), data...)
}

func sectors(text string) (b []byte) {
	for _, c := range text {
		b = append(b, bytes.Repeat([]byte{byte(c)}, sectorLen)...)
	}
	return b
}

func TestReplayKeepsFlushedBlocks(t *testing.T) {
	var l logger
	l.entry(1, 2, 0, sectors("ab"))
	l.entry(4, 1, 0, sectors("c"))
	l.entry(0, 0, flagFlush, nil)
	l.entry(0, 8, 1<<2, nil) // a discard
	l.entry(1, 1, 0, sectors("d"))
	l.entry(7, 2, 0, sectors("ef")) // in two blocks
	for name, c := range map[string]struct {
		keep func() bool
		want string
		result
	}{
		"nothing":    {func() bool { return false }, ".ab.c....", result{2, 0, 3}},
		"everything": {func() bool { return true }, ".db.c..ef", result{2, 3, 0}},
		"a part": {func() func() bool {
			n := 0
			return func() bool { n++; return n == 2 }
		}(), ".ab.c..e.", result{2, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			disk, err := os.Create(filepath.Join(t.TempDir(), "disk"))
			if err != nil {
				t.Fatal(err)
			}
			defer disk.Close()
			if _, err := disk.Write(sectors(".........")); err != nil {
				t.Fatal(err)
			}
			r, err := replay(bytes.NewReader(l.b), disk, c.keep)
			if err != nil || r != c.result {
				t.Errorf("%+v, %v; want %+v", r, err, c.result)
			}
			got, err := os.ReadFile(disk.Name())
			if err != nil || !bytes.Equal(got, sectors(c.want)) {
				t.Errorf("the disk differs from %q, %v", c.want, err)
			}
		})
	}
}

func TestReplayRejectsAnInvalidLog(t *testing.T) {
	if _, err := replay(bytes.NewReader(make([]byte, 4096)), nil, nil); !errors.Is(err, errLog) {
		t.Errorf("got %v", err)
	}
}
