// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
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
	c := checker{fs: unixFS{}, dir: dir, report: report}
	err := c.check(func(*frame) error { return nil })
	return c.sum, err
}

// Dump calls f for each record that can be read, with the journal's id, and says
// what Verify would. It may be used when Verify may. The record is valid until f
// returns; f's error ends it.
func Dump(dir string, f func(id string, r Record) error) (Summary, error) {
	c := checker{fs: unixFS{}, dir: dir, report: func(Problem) {}}
	err := c.check(func(fr *frame) error {
		rest := fr.payload
		for i := range fr.count {
			rec := Record{Seq: fr.first + i, Time: fr.received()}
			rec.Data, rest = message(rest)
			if err := f(c.sum.ID, rec); err != nil {
				return err
			}
		}
		return nil
	})
	return c.sum, err
}

type checker struct {
	fs     FS
	dir    string
	report func(Problem)
	who    identity
	sum    Summary
	index  uint64 // of the record that should come next
	known  bool   // index is
	torn   Problem
}

func (c *checker) problem(p Problem) {
	c.sum.Problems++
	c.report(p)
}

func (c *checker) check(frame func(*frame) error) error {
	l, err := list(c.fs, c.dir)
	if err != nil {
		return fmt.Errorf("journal %s: %w", c.dir, err)
	}
	who, fresh, repaired, err := identify(c.fs, c.dir, l)
	if err == nil && fresh {
		err = fmt.Errorf("%w: it is empty", ErrForeign)
	}
	if err != nil {
		return fmt.Errorf("journal %s: %w", c.dir, err)
	}
	c.who, c.sum.ID = who, formatID(who.id)
	if repaired {
		c.problem(Problem{Path: filepath.Join(c.dir, metaName), What: "missing or damaged; the next start repairs it"})
	}
	before, ok := c.readState()
	if !ok {
		c.problem(Problem{Path: filepath.Join(c.dir, stateName), What: "missing or damaged; the next start sets it anew"})
	}
	c.checkCursors(l.cursors)
	// Again: what comes now is at least what a clean state speaks of.
	if l, err = list(c.fs, c.dir); err != nil {
		return fmt.Errorf("journal %s: %w", c.dir, err)
	}
	if err := c.checkSegments(l.segments, frame); err != nil {
		return err
	}
	after, _ := c.readState()
	c.checkEnd(&before, ok && before.clean && after == before)
	return nil
}

func (c *checker) readState() (state, bool) {
	value, ok := c.readSlots(stateName)
	if !ok {
		return state{}, false
	}
	s := parseState(value)
	return s, s.identity == c.who
}

func (c *checker) readSlots(name string) (value []byte, ok bool) {
	s, value, ok, err := openSlots(c.fs, filepath.Join(c.dir, name), unix.O_RDONLY)
	if err != nil {
		return nil, false
	}
	s.file.Close() // only read
	return value, ok
}

func (c *checker) checkCursors(files []FileInfo) {
	for _, f := range files {
		value, ok := c.readSlots(f.Name)
		at, ours := parsePosition(value, c.who.id)
		if !ok || !ours {
			c.problem(Problem{Path: filepath.Join(c.dir, f.Name), What: "damaged; its reader begins again with the oldest record"})
			continue
		}
		c.sum.Cursors = append(c.sum.Cursors, Place{Name: strings.TrimPrefix(f.Name, cursorPrefix), Next: at.next, index: at.index})
	}
}

func (c *checker) checkSegments(segments []FileInfo, frame func(*frame) error) error {
	for i, f := range segments {
		end := ^uint64(0)
		if i+1 < len(segments) {
			end, _ = parseSegmentName(segments[i+1].Name)
		}
		err := c.segment(f, end, frame)
		if errors.Is(err, os.ErrNotExist) {
			c.known = false // the daemon has removed it since, and may have those before it
		} else if err != nil {
			return err
		}
	}
	return nil
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

func (c *checker) segment(info FileInfo, end uint64, visit func(*frame) error) error {
	path := filepath.Join(c.dir, info.Name)
	file, err := c.fs.Open(path, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer file.Close() // only read
	first, _ := parseSegmentName(info.Name)
	c.sum.Segments++
	c.sum.Bytes += info.Bytes
	newest := end == ^uint64(0)
	start := min(segmentHeaderLen, info.Bytes)
	badHeader := Problem{Path: path, Bytes: start, What: "damaged segment header"}
	if h, ok := readSegmentHeader(file); ok && h.identity == c.who && h.first == first {
		badHeader = Problem{}
		c.expect(path, 0, h.index)
	}
	scan := scanner{mark: c.who.mark, lenient: true}
	scan.damaged = func(off, length int64) {
		p := Problem{Path: path, Offset: off, Bytes: length, What: "no valid batch"}
		if newest && off+length == info.Bytes {
			c.torn = p
			return
		}
		c.problem(p)
	}
	scan.reset(file, start, info.Bytes, first, end)
	for frames := 0; ; frames++ {
		f, err := scan.next()
		if err != nil { // io.EOF: a lenient scan goes over all else
			switch {
			case badHeader.Path != "" && newest && frames == 0:
				c.torn = Problem{Path: path, Bytes: info.Bytes, What: "neither a header nor a batch"}
			case badHeader.Path != "":
				c.problem(badHeader)
			}
			return nil
		}
		c.expect(path, scan.off-f.length, f.index)
		c.account(&f)
		if err := visit(&f); err != nil {
			return err
		}
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

func (c *checker) account(f *frame) {
	if c.sum.First == 0 {
		c.sum.First = f.first
	}
	c.index = f.index + f.count
	c.sum.Records += f.count
	c.sum.Last, c.sum.Generation = f.end()-1, f.generation
}
