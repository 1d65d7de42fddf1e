// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/state"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

var (
	ours   = segment.Identity{ID: 1, Mark: 2}
	theirs = segment.Identity{ID: 3, Mark: 4}
)

// directory is the directory /j in memory.
type directory struct{ *memfs.FS }

func (d directory) put(name string, data []byte) { d.Names["/j/"+name] = &memfs.Node{Data: data} }

func (d directory) meta(who segment.Identity) { d.put(MetaName, EncodeMeta(who)) }

func (d directory) state(who segment.Identity) {
	d.put(StateName, slot.Encode(1, (&state.Value{Identity: who, Reserved: 9}).Encode()))
}

func (d directory) segment(who segment.Identity, first uint64) {
	h := segment.Header{Identity: who, First: first}
	d.put(segment.Name(first), h.Encode())
}

func (d directory) cursor(who segment.Identity, name string) {
	d.put(cursor.Prefix+name, slot.Encode(1, cursor.Encode(segment.Position{Next: 1}, who.ID)))
}

func (d directory) examine(t *testing.T) *Evidence {
	t.Helper()
	e, err := Examine(d, "/j", nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestDecide(t *testing.T) {
	for name, test := range map[string]struct {
		fill  func(d directory)
		who   segment.Identity
		fresh bool
		err   error
	}{
		"an empty directory": {fill: func(directory) {}, fresh: true},
		"only a lock":        {fill: func(d directory) { d.put(LockName, nil) }, fresh: true},
		"all files": {
			fill: func(d directory) { d.meta(ours); d.state(ours); d.segment(ours, 1); d.cursor(ours, "a") }, who: ours,
		},
		"only meta":     {fill: func(d directory) { d.meta(ours) }, who: ours},
		"only state":    {fill: func(d directory) { d.state(ours) }, who: ours},
		"only segments": {fill: func(d directory) { d.segment(ours, 1) }, who: ours},
		"a meta of another journal": {
			fill: func(d directory) { d.meta(theirs); d.state(ours); d.segment(ours, 1) }, who: ours,
		},
		"a state and a segment of another journal": {
			fill: func(d directory) {
				d.meta(ours)
				d.state(theirs)
				d.segment(theirs, 1)
				d.segment(ours, 2)
				d.segment(ours, 3)
			}, who: ours,
		},
		"as many files of each: the segments decide": {
			fill: func(d directory) { d.meta(theirs); d.segment(ours, 1) }, who: ours,
		},
		"as many of each, and no segment: meta decides": {
			fill: func(d directory) { d.meta(theirs); d.state(ours) }, who: theirs,
		},
		"cursors count": {
			fill: func(d directory) { d.meta(theirs); d.segment(ours, 1); d.cursor(theirs, "a") }, who: theirs,
		},
		"a damaged meta, and a good segment": {
			fill: func(d directory) { d.put(MetaName, []byte("damaged")); d.segment(ours, 1) }, who: ours,
		},
		"foreign files":           {fill: func(d directory) { d.put("photo.jpg", nil) }, err: ErrForeign},
		"only a damaged meta":     {fill: func(d directory) { d.put(MetaName, []byte("damaged")) }, err: ErrForeign},
		"only a damaged segment":  {fill: func(d directory) { d.put(segment.Name(1), nil) }, err: ErrForeign},
		"only cursors":            {fill: func(d directory) { d.cursor(ours, "a") }, err: ErrForeign},
		"foreign files, and meta": {fill: func(d directory) { d.put("photo.jpg", nil); d.meta(ours) }, who: ours},
	} {
		t.Run(name, func(t *testing.T) {
			d := directory{memfs.New()}
			test.fill(d)
			who, fresh, err := d.examine(t).Decide()
			if who != test.who || fresh != test.fresh || !errors.Is(err, test.err) {
				t.Errorf("%+v, fresh %v, %v", who, fresh, err)
			}
			if len(d.Ops) > 0 {
				t.Error("a file was changed")
			}
		})
	}
}

// TestDirectoryWithUnreadableFileIsNotForeign: the unreadable file may
// show that the directory belongs to a journal.
func TestDirectoryWithUnreadableFileIsNotForeign(t *testing.T) {
	for _, name := range []string{MetaName, StateName, segment.Name(1), cursor.Prefix + "a"} {
		t.Run(name, func(t *testing.T) {
			d := directory{memfs.New()}
			d.put(name, nil)
			d.Fail = func(o memfs.Op) error {
				if o.Kind == memfs.Read && o.Name == "/j/"+name {
					return unix.EIO
				}
				return nil
			}
			e := d.examine(t)
			_, fresh, err := e.Decide()
			if fresh || !errors.Is(err, unix.EIO) || errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), name) {
				t.Errorf("fresh %v, %v", fresh, err)
			}
			d.segment(ours, 2)
			if who, _, err := d.examine(t).Decide(); who != ours || err != nil {
				t.Errorf("with another segment: %+v, %v", who, err)
			}
		})
	}
}

func TestExamineFails(t *testing.T) {
	for name, test := range map[string]struct {
		fill func(d directory)
		want error
	}{
		"the directory cannot be listed": {func(d directory) {
			d.Fail = func(o memfs.Op) error {
				if o.Kind == memfs.List {
					return unix.EACCES
				}
				return nil
			}
		}, unix.EACCES},
		"meta is a FIFO":       {func(d directory) { d.Names["/j/"+MetaName] = &memfs.Node{Kind: "FIFO"} }, vfs.ErrIrregular},
		"state is a directory": {func(d directory) { d.Names["/j/"+StateName] = &memfs.Node{Kind: vfs.KindDirectory} }, vfs.ErrIrregular},
		"meta is newer":        {func(d directory) { d.put(MetaName, withChecksum("genltestd-journal format=2 ")) }, ErrNewer},
	} {
		d := directory{memfs.New()}
		test.fill(d)
		if _, err := Examine(d, "/j", nil); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHeadersAreReadOnce(t *testing.T) {
	d := directory{memfs.New()}
	d.segment(ours, 1)
	before := d.examine(t)
	reads := func() (n int) {
		d.Fail = func(o memfs.Op) error {
			if o.Kind == memfs.Read && strings.HasSuffix(o.Name, segment.Suffix) {
				n++
			}
			return nil
		}
		e, err := Examine(d, "/j", before)
		if err != nil || len(e.Headers) != len(e.Segments) || !e.Headers[0].OK {
			t.Errorf("%+v, %v", e, err)
		}
		return n
	}
	if n := reads(); n != 0 {
		t.Errorf("%d reads of the same segments", n)
	}
	d.segment(ours, 2)
	if n := reads(); n != 2 {
		t.Errorf("%d reads with a new segment, want 2", n)
	}
}

func TestStateOfAnotherJournalIsUnknown(t *testing.T) {
	d := directory{memfs.New()}
	d.state(ours)
	e := d.examine(t)
	if s, known := e.StateOf(ours); !known || s.Reserved != 9 {
		t.Errorf("%+v, %v", s, known)
	}
	if s, known := e.StateOf(theirs); known || s != (state.Value{}) {
		t.Errorf("of another journal: %+v, %v", s, known)
	}
	d.put(StateName, []byte("damaged"))
	if s, known := d.examine(t).StateOf(segment.Identity{}); known {
		t.Errorf("damaged: %+v", s)
	}
}

func TestWhyLost(t *testing.T) {
	for want, got := range map[string]string{
		"missing":            WhyLost(false, nil, false),
		"damaged":            WhyLost(true, nil, false),
		"of another journal": WhyLost(true, nil, true),
		unix.EIO.Error():     WhyLost(true, unix.EIO, false),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
