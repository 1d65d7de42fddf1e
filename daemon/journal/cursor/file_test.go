// SPDX-License-Identifier: Apache-2.0

package cursor

import (
	"errors"
	"math"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// stored encodes a position and pads it, as a slot does.
func stored(p segment.Position, id uint64) []byte {
	b := Encode(p, id)
	return append(b, make([]byte, slot.ValueLen-len(b))...)
}

func TestPositionRoundTrip(t *testing.T) {
	for _, want := range []segment.Position{
		{}, {Next: 1}, {Next: 2, Index: 1}, {Next: math.MaxUint64, Index: segment.UnknownIndex},
	} {
		if got, ok := Parse(stored(want, 7), 7); !ok || got != want {
			t.Errorf("got %+v, %v, want %+v", got, ok, want)
		}
		if got, ok := Parse(stored(want, 7), 8); ok || got != (segment.Position{}) {
			t.Errorf("the position of another journal is %+v, %v", got, ok)
		}
	}
	whole := stored(segment.Position{Next: 1}, 7)
	for _, b := range [][]byte{nil, whole[:8], whole[:slot.ValueLen-1], append(whole, 0)} {
		if _, ok := Parse(b, 7); ok {
			t.Errorf("%d bytes are accepted", len(b))
		}
	}
}

func TestValidReaderNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "A-z_0.9": true, strings.Repeat("x", maxName): true, ".": true, "a.tmp.b": true,
		"": false, strings.Repeat("x", maxName+1): false, "a/b": false, "a b": false, "a\x00": false, "é": false, "a.tmp": false, "a\n": false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestReadSavedDistinguishesDamageFromErrors(t *testing.T) {
	fs := memfs.New()
	fs.Names["/short"] = &memfs.Node{Data: slot.Encode(1, Encode(segment.Position{Next: 5}, 7))[:32]}
	fs.Names["/good"] = &memfs.Node{Data: slot.Encode(1, Encode(segment.Position{Next: 5}, 7))}
	if s := ReadSaved(fs, "/short"); s.OK || s.Err != nil {
		t.Errorf("a short file: %+v", s)
	}
	s := ReadSaved(fs, "/good")
	if at, ours := Parse(s.Value, 7); !s.OK || s.Err != nil || !ours || at.Next != 5 {
		t.Errorf("a good file: %+v", s)
	}
	fs.Fail = func(memfs.Op) error { return unix.EIO }
	if s := ReadSaved(fs, "/good"); s.OK || !errors.Is(s.Err, unix.EIO) {
		t.Errorf("a file that cannot be read: %+v", s)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(stored(segment.Position{Next: 5, Index: 4}, 1))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if at, ok := Parse(b, 1); ok {
			if again, ok := Parse(stored(at, 1), 1); !ok || again != at {
				t.Errorf("%+v is read again as %+v, %v", at, again, ok)
			}
		}
	})
}
