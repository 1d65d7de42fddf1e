// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"errors"
	"math"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

func TestSegmentNames(t *testing.T) {
	for _, first := range []uint64{1, 42, 1 << 40, MaxSeq - 1} {
		if got, ok := ParseName(Name(first)); !ok || got != first {
			t.Errorf("%s: %d, %v", Name(first), got, ok)
		}
	}
	if Name(9) >= Name(10) {
		t.Error("the names are not sorted by number")
	}
	for _, name := range []string{
		"", ".log", Name(0), Name(MaxSeq), Name(math.MaxUint64), "1.log", strings.Repeat("9", SeqDigits) + Suffix,
		"+0000000000000000001.log", "0000000000000000000x.log", "00000000000000000001.tmp", "000000000000000000001.log",
	} {
		if first, ok := ParseName(name); ok {
			t.Errorf("%q is the segment of number %d", name, first)
		}
	}
}

func testHeader() Header {
	return Header{Identity: Identity{ID: 1, Mark: 2}, First: 3, Index: 4, Generation: 5, Synced: math.MaxUint64}
}

func TestHeaderRoundTrip(t *testing.T) {
	want := testHeader()
	b := want.Encode()
	if len(b) != HeaderLen {
		t.Errorf("%d bytes, want %d", len(b), HeaderLen)
	}
	if got, ok := ParseHeader(append(b, "frames follow"...)); !ok || got != want {
		t.Errorf("got %+v, %v", got, ok)
	}
}

func TestDamagedHeaderIsRejected(t *testing.T) {
	h := testHeader()
	good := h.Encode()
	for i := range good {
		if _, ok := ParseHeader(good[:i]); ok {
			t.Errorf("a header of %d bytes is accepted", i)
		}
		for bit := range 8 {
			b := h.Encode()
			b[i] ^= 1 << bit
			if _, ok := ParseHeader(b); ok {
				t.Errorf("bit %d of byte %d is wrong, and the header is accepted", bit, i)
			}
		}
	}
	later := h.Encode()
	later[12] = FormatVersion + 1
	seal(later[8:])
	if _, ok := ParseHeader(later); ok {
		t.Error("the header of another version is accepted")
	}
}

func TestReadHeaderDistinguishesDamageFromErrors(t *testing.T) {
	fs := memfs.New()
	h := testHeader()
	fs.Names["/short"] = &memfs.Node{Data: h.Encode()[:HeaderLen-1]}
	fs.Names["/good"] = &memfs.Node{Data: h.Encode()}
	for name, intact := range map[string]bool{"/short": false, "/good": true} {
		file, err := fs.Open(name, unix.O_RDONLY)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok, err := ReadHeader(file); ok != intact || err != nil || ok && got != h {
			t.Errorf("%s: %+v, %v, %v", name, got, ok, err)
		}
		fs.Fail = func(o memfs.Op) error { return unix.EIO }
		if _, ok, err := ReadHeader(file); ok || !errors.Is(err, unix.EIO) {
			t.Errorf("%s cannot be read: %v, %v", name, ok, err)
		}
		fs.Fail = nil
	}
}

func FuzzHeader(f *testing.F) {
	h := testHeader()
	f.Add(h.Encode())
	f.Add(h.Encode()[:HeaderLen-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= HeaderLen { // write a valid checksum
			b = append([]byte(nil), b[:HeaderLen]...)
			seal(b[8:])
		}
		h, ok := ParseHeader(b)
		if ok && string(h.Encode()) != string(b) {
			t.Errorf("%x is read as %+v", b, h)
		}
	})
}
