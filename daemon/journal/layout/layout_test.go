// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// withChecksum returns a line with its checksum.
func withChecksum(line string) []byte {
	return fmt.Appendf(nil, "%s crc=%08x\n", line, checksum([]byte(line)))
}

func TestMetaRoundTrip(t *testing.T) {
	for _, want := range []segment.Identity{{}, {ID: 1, Mark: 2}, {ID: math.MaxUint64, Mark: 0x0123456789abcdef}} {
		b := EncodeMeta(want)
		if got, ok, err := ParseMeta(b); !ok || err != nil || got != want {
			t.Errorf("%s: %+v, %v, %v", b, got, ok, err)
		}
		if len(b) > metaMaxLen {
			t.Errorf("%d bytes, want at most the size that a reader reads", len(b))
		}
	}
}

func TestDamagedMetaIsRejected(t *testing.T) {
	good := EncodeMeta(segment.Identity{ID: 1, Mark: 2})
	for i := range good {
		if _, ok, err := ParseMeta(good[:i]); (ok && i < len(good)-1) || err != nil {
			t.Errorf("%q: %v, %v", good[:i], ok, err)
		}
		for bit := range 8 {
			b := bytes.Clone(good)
			b[i] ^= 1 << bit
			if got, ok, err := ParseMeta(b); ok || err != nil || got != (segment.Identity{}) {
				t.Errorf("%q: %+v, %v, %v", b, got, ok, err)
			}
		}
	}
	for _, b := range [][]byte{
		withChecksum(""), withChecksum("genltestd-journal"),
		withChecksum("genltestd-journal format=x id=1 mark=2"), withChecksum("genltestd-journal format=1"),
		withChecksum("genltestd-journal format=1 id=zz mark=2"), append(bytes.Clone(good), "more"...), bytes.Repeat([]byte(" crc="), 9),
	} {
		if got, ok, err := ParseMeta(b); ok || err != nil || got != (segment.Identity{}) {
			t.Errorf("%q: %+v, %v, %v", b, got, ok, err)
		}
	}
}

func TestMetaOfNewerVersion(t *testing.T) {
	for _, line := range []string{"genltestd-journal format=2 ", "genltestd-journal format=99 anything else"} {
		if _, ok, err := ParseMeta(withChecksum(line)); ok || !errors.Is(err, ErrNewer) {
			t.Errorf("%q: %v, %v", line, ok, err)
		}
	}
	if _, ok, err := ParseMeta([]byte("genltestd-journal format=2 crc=00000000\n")); ok || err != nil {
		t.Errorf("a damaged newer version: %v, %v", ok, err)
	}
}

func FuzzParseMeta(f *testing.F) {
	f.Add("genltestd-journal format=1 id=0000000000000001 mark=0000000000000002")
	f.Add("genltestd-journal format=9 x")
	f.Fuzz(func(t *testing.T, line string) {
		for _, b := range [][]byte{[]byte(line), withChecksum(line)} {
			who, ok, err := ParseMeta(b)
			if ok && err != nil || !ok && who != (segment.Identity{}) {
				t.Fatalf("%q: %+v, %v, %v", b, who, ok, err)
			}
			if err != nil && !errors.Is(err, ErrNewer) {
				t.Fatalf("%q: %v", b, err)
			}
			if again, ok2, err := ParseMeta(EncodeMeta(who)); ok && (!ok2 || err != nil || again != who) {
				t.Fatalf("%+v is read again as %+v, %v", who, again, err)
			}
		}
	})
}

func names(files []vfs.FileInfo) (list []string) {
	for _, f := range files {
		list = append(list, f.Name)
	}
	return list
}

func TestListClassifiesFiles(t *testing.T) {
	fs := memfs.New()
	for _, name := range []string{
		MetaName, StateName, LockName, segment.Name(10), segment.Name(9), cursor.Prefix + "b", cursor.Prefix + "a",
		MetaName + vfs.TempSuffix, cursor.Prefix + "a" + vfs.TempSuffix,
	} {
		fs.Names["/j/"+name] = &memfs.Node{}
	}
	fs.Names["/j/"+damage.QuarantineName] = &memfs.Node{Kind: vfs.KindDirectory}
	fs.Names["/j/lost+found"] = &memfs.Node{Kind: vfs.KindDirectory}
	l, err := List(fs, "/j")
	if err != nil {
		t.Fatal(err)
	}
	if !l.Meta || !l.State || l.Foreign != "" {
		t.Errorf("meta %v, state %v, foreign %q", l.Meta, l.State, l.Foreign)
	}
	for _, part := range []struct {
		name string
		got  []vfs.FileInfo
		want []string
	}{
		{"segments", l.Segments, []string{segment.Name(9), segment.Name(10)}},
		{"cursors", l.Cursors, []string{cursor.Prefix + "a", cursor.Prefix + "b"}},
		{"temporary files", l.Temps, []string{cursor.Prefix + "a" + vfs.TempSuffix, MetaName + vfs.TempSuffix}},
		{"others", l.Others, []string{LockName}},
	} {
		if diff := cmp.Diff(part.want, names(part.got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", part.name, diff)
		}
	}
	fs.Names["/j/"+damage.QuarantineName].Kind = ""
	if l, err = List(fs, "/j"); err != nil || l.Foreign != "" || len(l.Others) != 2 {
		t.Errorf("a file named like the quarantine: %v, %v", names(l.Others), err)
	}
	for _, name := range []string{"notes.txt", "1.log", segment.Name(0), "cursor", "state2"} {
		fs := memfs.New()
		fs.Names["/j/"+name] = &memfs.Node{}
		if l, err := List(fs, "/j"); err != nil || l.Foreign != name {
			t.Errorf("%s is not foreign: %+v, %v", name, l, err)
		}
	}
}

func TestIDHasLeadingZeros(t *testing.T) {
	if got := FormatID(0x1234); got != "0000000000001234" {
		t.Errorf("got %q", got)
	}
}
