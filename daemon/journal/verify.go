// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
	Problems   int
}

// Verify reads a whole journal and reports what is broken in it. It changes
// nothing, and may be used while a daemon has the journal open: then the last
// write may show as a torn tail.
func Verify(dir string, report func(Problem)) (Summary, error) {
	c := checker{fs: unixFS{}, dir: dir, report: report}
	err := c.check(func(*frame) error { return nil })
	return c.sum, err
}

// Dump calls f for each record that can be read. It changes nothing, and may be
// used while a daemon has the journal open. The record is valid until f returns;
// f's error ends it.
func Dump(dir string, f func(Record) error) error {
	c := checker{fs: unixFS{}, dir: dir, report: func(Problem) {}}
	return c.check(func(fr *frame) error {
		rest := fr.payload
		for i := range fr.count {
			rec := Record{Seq: fr.first + i, Time: fr.received()}
			rec.Data, rest = message(rest)
			if err := f(rec); err != nil {
				return err
			}
		}
		return nil
	})
}

type checker struct {
	fs     FS
	dir    string
	report func(Problem)
	who    identity
	sum    Summary
	index  uint64 // of the record that should come next
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
	c.checkSlots(l)
	for i, f := range l.segments {
		end := ^uint64(0)
		if i+1 < len(l.segments) {
			end, _ = parseSegmentName(l.segments[i+1].Name)
		}
		if err := c.segment(f, end, frame); err != nil && !errors.Is(err, os.ErrNotExist) { // removed since
			return err
		}
	}
	return nil
}

// checkSlots looks at the small files.
func (c *checker) checkSlots(l listing) {
	names := []string{stateName}
	for _, f := range l.cursors {
		names = append(names, f.Name)
	}
	for _, name := range names {
		path := filepath.Join(c.dir, name)
		s, value, ok, err := openSlots(c.fs, path, unix.O_RDONLY)
		if err == nil {
			s.file.Close() // only read
		}
		if err == nil && ok && name == stateName {
			ok = parseState(value).identity == c.who
		} else if err == nil && ok {
			_, ok = parsePosition(value, c.who.id)
		}
		if err != nil || !ok {
			c.problem(Problem{Path: path, What: "missing or damaged; the next start sets it anew"})
		}
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
	start := min(segmentHeaderLen, info.Bytes)
	if h, ok := readSegmentHeader(file); !ok || h.identity != c.who || h.first != first {
		c.problem(Problem{Path: path, Bytes: start, What: "damaged segment header"})
	}
	scan := scanner{mark: c.who.mark, lenient: true}
	scan.damaged = func(off, length int64) {
		what := "no valid batch"
		if off+length == info.Bytes && end == ^uint64(0) {
			what = "torn tail"
		}
		c.problem(Problem{Path: path, Offset: off, Bytes: length, What: what})
	}
	scan.reset(file, start, info.Bytes, first, end)
	for {
		f, err := scan.next()
		if err != nil {
			return nil //nolint:nilerr // io.EOF: a lenient scan goes over all else
		}
		c.account(path, scan.off-f.length, &f)
		if err := visit(&f); err != nil {
			return err
		}
	}
}

func (c *checker) account(path string, off int64, f *frame) {
	if c.sum.First == 0 {
		c.sum.First = f.first
	} else if f.index > c.index {
		c.sum.Missing += f.index - c.index
		c.problem(Problem{Path: path, Offset: off, Records: f.index - c.index, What: "records are missing before this batch"})
	}
	c.index = f.index + f.count
	c.sum.Records += f.count
	c.sum.Last, c.sum.Generation = f.end()-1, f.generation
}
