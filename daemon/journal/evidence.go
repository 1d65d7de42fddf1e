// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// Evidence is what each file of a directory tells of the journal in it. To gather it
// changes nothing. A file that cannot be read has an error here: it is never taken for
// one that holds nothing.
type evidence struct {
	listing
	id       segment.Identity // from meta
	idOK     bool
	idErr    error
	before   state // from state
	beforeOK bool
	stateErr error
	headers  []header      // of the segments, in their order
	places   []savedCursor // of the cursors, in their order
}

// A header is what a segment tells of itself.
type header struct {
	segment.Header
	ok  bool // it is intact
	err error
}

// A savedCursor is the content of a cursor's file.
type savedCursor struct {
	value []byte
	ok    bool // it is intact
	err   error
}

// examine gathers the evidence. before may be what was found a moment ago: the headers
// of its segments do not change. The error is for a directory that cannot be listed, or
// has something in the place of a file without which nothing can be done, or ErrNewer.
func examine(fs vfs.FS, dir string, before *evidence) (e *evidence, err error) {
	e = &evidence{}
	if e.listing, err = list(fs, dir); err != nil {
		return nil, err
	}
	if err := e.readMeta(fs, dir); err != nil {
		return nil, err
	}
	if err := e.readState(fs, dir); err != nil {
		return nil, err
	}
	if before != nil && slices.Equal(e.segments, before.segments) {
		e.headers = before.headers
	} else {
		e.headers = readHeaders(fs, dir, e.segments)
	}
	for _, f := range e.cursors {
		var c savedCursor
		c.value, c.ok, c.err = slot.Read(fs, filepath.Join(dir, f.Name))
		e.places = append(e.places, c)
	}
	return e, nil
}

func (e *evidence) readMeta(fs vfs.FS, dir string) (err error) {
	if !e.meta {
		return nil
	}
	b, err := vfs.ReadFile(fs, filepath.Join(dir, metaName), metaMaxLen)
	if errors.Is(err, vfs.ErrIrregular) {
		return err
	}
	if e.idErr = err; err == nil {
		e.id, e.idOK, err = parseMeta(b)
	} else {
		err = nil
	}
	return err
}

func (e *evidence) readState(fs vfs.FS, dir string) error {
	if !e.state {
		return nil
	}
	value, ok, err := slot.Read(fs, filepath.Join(dir, stateName))
	if errors.Is(err, vfs.ErrIrregular) {
		return err
	}
	e.before, e.beforeOK, e.stateErr = parseState(value), ok, err
	return nil
}

func readHeaders(fs vfs.FS, dir string, segments []vfs.FileInfo) []header {
	headers := make([]header, len(segments))
	for i, f := range segments {
		headers[i] = readHeader(fs, filepath.Join(dir, f.Name))
	}
	return headers
}

func readHeader(fs vfs.FS, path string) (h header) {
	f, err := fs.Open(path, unix.O_RDONLY)
	if err != nil {
		h.err = err
		return h
	}
	defer f.Close() // only read
	h.Header, h.ok, h.err = segment.ReadHeader(f)
	if h.err != nil {
		h.err = fmt.Errorf("read %s: %w", path, h.err)
	}
	return h
}

// A witness is how much of the evidence is for one identity.
type witness struct {
	all, segments int
}

// decide finds out whose journal it is: what most files tell. fresh means that it is
// none's yet, and may become one. ErrForeign is returned only when all was read.
func (e *evidence) decide() (who segment.Identity, fresh bool, err error) {
	found := map[segment.Identity]*witness{}
	var order []segment.Identity // so that of two with equal evidence meta's holds
	hear := func(id segment.Identity, segments int) {
		if found[id] == nil {
			found[id] = &witness{}
			order = append(order, id)
		}
		found[id].all++
		found[id].segments += segments
	}
	if e.idOK {
		hear(e.id, 0)
	}
	if e.beforeOK {
		hear(e.before.Identity, 0)
	}
	for i := range e.headers {
		if e.headers[i].ok {
			hear(e.headers[i].Identity, 1)
		}
	}
	for id, w := range found {
		w.all += e.cursorsOf(id.ID)
	}
	var best witness
	for _, id := range order {
		if w := *found[id]; w.all > best.all || w.all == best.all && w.segments > best.segments {
			who, best = id, w
		}
	}
	if best.all > 0 {
		return who, false, nil
	}
	if err := e.unread(); err != nil {
		return who, false, fmt.Errorf("cannot find out whose journal it is: %w", err)
	}
	if e.meta || e.foreign || len(e.segments)+len(e.cursors) > 0 {
		return who, false, fmt.Errorf("%w: it holds files, and none says that it is; give the journal an empty directory of its own", ErrForeign)
	}
	return who, true, nil
}

func (e *evidence) cursorsOf(id uint64) (n int) {
	for _, c := range e.places {
		if _, ours := parsePosition(c.value, id); c.ok && ours {
			n++
		}
	}
	return n
}

// unread returns why something could not be looked at.
func (e *evidence) unread() error {
	errs := []error{e.idErr, e.stateErr}
	for i := range e.headers {
		errs = append(errs, e.headers[i].err)
	}
	for i := range e.places {
		errs = append(errs, e.places[i].err)
	}
	return errors.Join(errs...)
}

// stateOf returns the state that the last process left, if it is known.
func (e *evidence) stateOf(who segment.Identity) (s state, known bool) {
	if !e.beforeOK || e.before.Identity != who {
		return state{}, false
	}
	return e.before, true
}
