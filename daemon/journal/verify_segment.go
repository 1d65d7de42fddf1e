// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// segment checks one segment. The error is visit's, or says that the file is gone.
func (c *checker) segment(info vfs.FileInfo, h *header, newest bool, end uint64, visit func(*segment.Frame) error) error {
	path := filepath.Join(c.dir, info.Name)
	c.sum.Segments++
	c.sum.Bytes += info.Bytes
	file, err := c.fs.Open(path, unix.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		c.sum.Segments--
		c.sum.Bytes -= info.Bytes
		return err
	}
	if err != nil {
		c.problem(Problem{Path: path, Bytes: info.Bytes, What: notRead(err)})
		c.known = false
		return nil
	}
	defer file.Close() // only read
	first, _ := segment.ParseName(info.Name)
	size := min(info.Bytes, segment.MaxLen)
	if size < info.Bytes {
		c.problem(Problem{Path: path, Offset: size, Bytes: info.Bytes - size, What: "beyond the largest size of a segment, not read"})
	}
	start := min(segment.HeaderLen, size)
	if h.ok {
		c.expect(path, 0, h.Index)
	}
	scan := segment.Scanner{Mark: c.who.Mark, Lenient: true}
	scan.Damaged = func(off, length int64) {
		p := Problem{Path: path, Offset: off, Bytes: length, What: "no valid batch"}
		if err := scan.UnreadAfter(off); err != nil {
			p.What = notRead(err)
		} else if newest && off+length == size {
			c.torn = p
			return
		}
		c.problem(p)
	}
	scan.Reset(file, start, size, first, end)
	for frames := 0; ; frames++ {
		f, err := scan.Next()
		if err != nil {
			c.endSegment(path, size, h, newest && frames == 0, notEOF(err))
			return nil
		}
		c.expect(path, scan.Off-f.Length, f.Index)
		c.account(&f)
		if err := visit(&f); err != nil {
			return err
		}
	}
}

// endSegment judges the header, once it is known whether frames follow it. err says why
// the rest cannot be read.
func (c *checker) endSegment(path string, size int64, h *header, bare bool, err error) {
	switch {
	case err != nil:
		c.problem(Problem{Path: path, What: notRead(err)})
		c.known = false
	case h.ok:
	case h.err != nil:
		c.problem(Problem{Path: path, Bytes: min(segment.HeaderLen, size), What: notRead(h.err)})
	case bare:
		c.torn = Problem{Path: path, Bytes: size, What: "neither a header nor a batch"}
	default:
		c.problem(Problem{Path: path, Bytes: min(segment.HeaderLen, size), What: "damaged segment header"})
	}
}

func (c *checker) checkSegments(segments []vfs.FileInfo, frame func(*segment.Frame) error) error {
	segments, headers := c.ownSegments(segments)
	for i, f := range segments {
		end := ^uint64(0)
		for k := i + 1; k < len(segments) && end == ^uint64(0); k++ {
			if headers[k].ok {
				end = headers[k].First
			}
		}
		err := c.segment(f, &headers[i], i == len(segments)-1, end, frame)
		if errors.Is(err, os.ErrNotExist) {
			c.known = false // the daemon has removed it since, and may have those before it
		} else if err != nil {
			return err
		}
	}
	return nil
}

// ownSegments leaves out the files that are none of this journal's segments. The
// headers that remain are sure or not ok.
func (c *checker) ownSegments(files []vfs.FileInfo) (segments []vfs.FileInfo, headers []header) {
	for _, f := range files {
		path := filepath.Join(c.dir, f.Name)
		h := readHeader(c.fs, path)
		first, _ := segment.ParseName(f.Name)
		if h.ok && (h.Identity != c.who || h.First != first) {
			c.problem(Problem{Path: path, Bytes: f.Bytes, What: "no part of this journal: copied, renamed, or of another one"})
			continue
		}
		segments, headers = append(segments, f), append(headers, h)
	}
	return segments, headers
}
