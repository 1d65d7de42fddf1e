// SPDX-License-Identifier: Apache-2.0

package slot

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// TestTornWriteKeepsOldOrNewValue: if only a part of a write reaches the disk, the value
// is the old one or the new one.
func TestTornWriteKeepsOldOrNewValue(t *testing.T) {
	fs := memfs.New()
	s, err := Create(fs, "/s", []byte("value 0"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 5; i++ {
		before := fs.Clone()
		if err := s.Write(fmt.Appendf(nil, "value %d", i)); err != nil {
			t.Fatal(err)
		}
		w := fs.Ops[len(fs.Ops)-1]
		for torn := range len(w.Data) + 1 {
			cut := before.Clone()
			d := cut.Names["/s"]
			d.Data = append(d.Data, make([]byte, max(0, int(w.Off)+torn-len(d.Data)))...)
			copy(d.Data[w.Off:], w.Data[:torn])
			value, ok, err := Read(cut, "/s")
			old, now := fmt.Sprint("value ", i-1), fmt.Sprint("value ", i)
			if got := string(bytes.TrimRight(value, "\x00")); err != nil || !ok || got != old && got != now {
				t.Fatalf("torn after %d bytes: %q, %v, %v", torn, got, ok, err)
			}
		}
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWritesDuringFsync: for a successful and a failed fsync, no write affects the
// durable slot or the slot of the running fsync, and the newest value is read after a kill.
func TestWritesDuringFsync(t *testing.T) {
	for _, fault := range []error{nil, unix.EIO} {
		fs := memfs.New()
		s, err := Create(fs, "/s", []byte("value 0"))
		if err != nil {
			t.Fatal(err)
		}
		value := 0
		write := func() {
			t.Helper()
			value++
			if err := s.Write(fmt.Appendf(nil, "value %d", value)); err != nil {
				t.Fatal(err)
			}
			for _, slot := range []int{s.durable, s.syncing} {
				if fs.Ops[len(fs.Ops)-1].Off == int64(slot)*Gap {
					t.Fatalf("value %d was written to slot %d, which is durable or is being synced", value, slot)
				}
			}
			got, ok, err := Read(fs.Clone(), "/s")
			if text := string(bytes.TrimRight(got, "\x00")); !ok || err != nil || text != fmt.Sprint("value ", value) {
				t.Fatalf("after a kill: %q, %v, want value %d", text, err, value)
			}
		}
		for range 10 {
			write()
			if begun, err := s.BeginSync(); !begun || err != nil {
				t.Fatal(begun, err)
			}
			write()
			write()
			if err := s.EndSync(fault); !errors.Is(err, fault) {
				t.Fatal(err)
			}
			if !s.written {
				t.Fatal("nothing is left to sync")
			}
			write()
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func FuzzSlots(f *testing.F) {
	fs := memfs.New()
	s, err := Create(fs, "/s", []byte("value"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(fs.Clone().Names["/s"].Data)
	if err := s.Write([]byte("another")); err != nil {
		f.Fatal(err)
	}
	f.Add(fs.Names["/s"].Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		m := memfs.New()
		m.Names["/s"] = &memfs.Node{Data: data}
		file, _ := m.Open("/s", 0)
		s, _, ok, err := scan(file)
		if err != nil || s.turn < 0 || s.turn >= count || ok && s.turn == s.durable {
			t.Fatalf("turn %d, %v", s.turn, err)
		}
	})
}
