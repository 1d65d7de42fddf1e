// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// A Problem is something that Verify found broken.
type Problem struct {
	Path    string
	Offset  int64
	Bytes   int64
	Records uint64 // missing
	What    string
}

// A Summary says what a journal holds.
type Summary struct {
	ID         string
	Segments   int
	Bytes      int64
	Records    uint64
	Missing    uint64 // records between those that are there
	First      uint64 // number of the oldest record; 0 without one
	Last       uint64
	Generation uint64 // of the last batch
	Cursors    []Place
	Torn       int64 // bytes of a last write that has not ended, which is no damage
	Problems   int
}

// A Place is how far a reader is.
type Place struct {
	Name    string
	Next    uint64 // number of the first record that it may still need
	Waiting uint64 // records from there on
	index   uint64
}

// Verify reads a whole journal and reports what is broken in it. It changes
// nothing and takes no lock, and may be used while a daemon has the journal open.
func Verify(dir string, report func(Problem)) (Summary, error) {
	c := checker{fs: vfs.Disk{}, dir: dir, report: report}
	err := c.check(func(*segment.Frame) error { return nil })
	return c.sum, err
}

// Dump calls f for each record that can be read, with the journal's id, and says
// what Verify would. It may be used when Verify may. The record is valid until f
// returns; f's error ends it.
func Dump(dir string, f func(id string, r Record) error) (Summary, error) {
	c := checker{fs: vfs.Disk{}, dir: dir, report: func(Problem) {}}
	err := c.check(func(fr *segment.Frame) error {
		rest := fr.Payload
		for i := range fr.Count {
			rec := Record{Seq: fr.First + i, Time: fr.Received()}
			rec.Data, rest = segment.Message(rest)
			if err := f(c.sum.ID, rec); err != nil {
				return err
			}
		}
		return nil
	})
	return c.sum, err
}

type checker struct {
	fs     vfs.FS
	dir    string
	report func(Problem)
	who    segment.Identity
	sum    Summary
	index  uint64 // of the record that should come next
	known  bool   // index is
	torn   Problem
}

func (c *checker) problem(p Problem) {
	c.sum.Problems++
	c.report(p)
}

func (c *checker) check(frame func(*segment.Frame) error) error {
	e, err := examine(c.fs, c.dir, nil)
	if err != nil {
		return fmt.Errorf("journal %s: %w", c.dir, err)
	}
	who, fresh, err := e.decide()
	if err == nil && fresh {
		err = fmt.Errorf("%w: it is empty", ErrForeign)
	}
	if err != nil {
		return fmt.Errorf("journal %s: %w", c.dir, err)
	}
	c.who, c.sum.ID = who, formatID(who.ID)
	before, ok := c.checkFiles(e)
	// Again: what comes now is at least what a clean state speaks of.
	l, err := list(c.fs, c.dir)
	if err != nil {
		return fmt.Errorf("journal %s: %w", c.dir, err)
	}
	after := c.readState()
	c.checkStart(l.segments, &after)
	c.checkNewest(l.segments, &before)
	if err := c.checkSegments(l.segments, frame); err != nil {
		return err
	}
	last := c.readState()
	c.checkEnd(&before, ok && before.clean && last == before)
	return nil
}

// checkFiles checks all but the segments, and returns the state, if it is there.
func (c *checker) checkFiles(e *evidence) (s state, ok bool) {
	for _, f := range append(e.others, e.temps...) {
		if f.Kind != "" {
			c.problem(Problem{Path: filepath.Join(c.dir, f.Name), What: vfs.Irregular(f.Kind).Error()})
		}
	}
	if e.idErr != nil {
		c.problem(Problem{Path: filepath.Join(c.dir, metaName), What: notRead(e.idErr)})
	} else if !e.idOK || e.id != c.who {
		c.problem(Problem{Path: filepath.Join(c.dir, metaName), What: whyLost(e.meta, nil, e.idOK) + "; the next start writes it anew"})
	}
	if s, ok = e.stateOf(c.who); !ok {
		what := whyLost(e.state, nil, e.beforeOK) + "; the next start sets it anew"
		if e.stateErr != nil {
			what = notRead(e.stateErr)
		}
		c.problem(Problem{Path: filepath.Join(c.dir, stateName), What: what})
	}
	c.checkCursors(e)
	return s, ok
}

// notRead is the text of a problem with a file whose path is shown beside it.
func notRead(err error) string {
	var perr *os.PathError
	if errors.As(err, &perr) {
		err = perr.Err
	}
	return "cannot be read: " + err.Error()
}

// readState returns a state of which nothing is known when there is none.
func (c *checker) readState() state {
	value, ok, err := slot.Read(c.fs, filepath.Join(c.dir, stateName))
	if s := parseState(value); err == nil && ok && s.Identity == c.who {
		return s
	}
	return state{}
}

func (c *checker) checkCursors(e *evidence) {
	for i, f := range e.cursors {
		saved := &e.places[i]
		path := filepath.Join(c.dir, f.Name)
		at, ours := parsePosition(saved.value, c.who.ID)
		switch {
		case saved.err != nil:
			c.problem(Problem{Path: path, What: notRead(saved.err)})
		case !saved.ok || !ours:
			c.problem(Problem{Path: path, What: "damaged; its reader begins again with the oldest record"})
		default:
			c.sum.Cursors = append(c.sum.Cursors, Place{Name: strings.TrimPrefix(f.Name, cursorPrefix), Next: at.next, index: at.index})
		}
	}
}

// checkStart finds out whether segments are missing at the beginning that the journal
// has not removed. s was read after the segments were listed: it tells at least what has been
// removed until then.
func (c *checker) checkStart(segments []vfs.FileInfo, s *state) {
	first := uint64(0)
	if len(segments) > 0 {
		first, _ = segment.ParseName(segments[0].Name)
	}
	if s.oldest > 0 && (first == 0 || first > s.oldest) {
		c.problem(Problem{Path: filepath.Join(c.dir, segment.Name(s.oldest)), What: "missing, and perhaps segments after it: the journal has not removed it"})
	}
}

// checkNewest finds out whether the newest segment is there, of which the state told
// before the segments were listed.
func (c *checker) checkNewest(segments []vfs.FileInfo, s *state) {
	last := uint64(0)
	if n := len(segments); n > 0 {
		last, _ = segment.ParseName(segments[n-1].Name)
	}
	if s.newest > last {
		c.problem(Problem{Path: filepath.Join(c.dir, segment.Name(s.newest)), What: "missing, and perhaps segments before it"})
	}
}

// checkEnd judges the end of the last segment. After a clean stop it is known
// where that is; without one, or under a daemon, a write may not have ended.
func (c *checker) checkEnd(s *state, clean bool) {
	for i := range c.sum.Cursors {
		if p := &c.sum.Cursors[i]; c.known && p.index < c.index {
			p.Waiting = c.index - p.index
		}
	}
	switch {
	case !clean:
		c.sum.Torn = c.torn.Bytes
		return
	case c.torn.Path != "":
		c.problem(c.torn)
	}
	if s.index > c.index {
		p := Problem{Path: c.dir, What: "records are missing at the end"}
		if c.known {
			p.Records = s.index - c.index
			c.sum.Missing += p.Records
		}
		c.problem(p)
	}
}

// expect compares how many records should have come with how many have.
func (c *checker) expect(path string, off int64, index uint64) {
	if c.known && index > c.index {
		c.sum.Missing += index - c.index
		c.problem(Problem{Path: path, Offset: off, Records: index - c.index, What: "records are missing in front of this place"})
	}
	c.index, c.known = index, true
}

func (c *checker) account(f *segment.Frame) {
	if c.sum.First == 0 {
		c.sum.First = f.First
	}
	c.index = f.Index + f.Count
	c.sum.Records += f.Count
	c.sum.Last, c.sum.Generation = f.End()-1, f.Generation
}
