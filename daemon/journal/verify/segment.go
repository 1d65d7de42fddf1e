// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/layout"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// checkSegment checks one segment. It returns the error of visit, or os.ErrNotExist if the
// file was removed in the meantime.
func (c *checker) checkSegment(info vfs.FileInfo, h *layout.Header, newest bool, end uint64, visit func(*segment.Frame) error) error {
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
	defer file.Close() // nothing was written
	first, _ := segment.ParseName(info.Name)
	size := min(info.Bytes, segment.MaxLen)
	if size < info.Bytes {
		c.problem(Problem{Path: path, Offset: size, Bytes: info.Bytes - size, What: "beyond the maximum size of a segment; not read"})
	}
	if h.OK {
		c.expect(path, 0, h.Index)
	}
	scan := c.scanner(path, size, newest)
	scan.Reset(file, min(segment.HeaderLen, size), size, first, end)
	return c.checkFrames(scan, path, size, h, newest, visit)
}

// scanner returns a scanner that reports damage as problems. In the newest segment a
// damaged end is an incomplete write.
func (c *checker) scanner(path string, size int64, newest bool) *segment.Scanner {
	scan := &segment.Scanner{Mark: c.who.Mark, Lenient: true}
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
	return scan
}

// checkFrames checks the frames of a segment. It returns the error of visit.
func (c *checker) checkFrames(
	scan *segment.Scanner, path string, size int64, h *layout.Header, newest bool, visit func(*segment.Frame) error,
) error {
	for frames := 0; ; frames++ {
		f, err := scan.Next()
		if err != nil {
			c.endSegment(path, size, h, newest && frames == 0, err)
			return nil
		}
		c.expect(path, scan.Off-f.Length, f.Index)
		c.account(&f)
		if err := visit(&f); err != nil {
			return err
		}
	}
}

// endSegment checks the header, after the frames. bare means that the newest segment
// contains no frame. err is the error that ended the scan.
func (c *checker) endSegment(path string, size int64, h *layout.Header, bare bool, err error) {
	switch {
	case !errors.Is(err, io.EOF):
		c.problem(Problem{Path: path, What: notRead(err)})
		c.known = false
	case h.OK:
	case h.Err != nil:
		c.problem(Problem{Path: path, Bytes: min(segment.HeaderLen, size), What: notRead(h.Err)})
	case bare:
		c.torn = Problem{Path: path, Bytes: size, What: "neither a segment header nor a batch"}
	default:
		c.problem(Problem{Path: path, Bytes: min(segment.HeaderLen, size), What: "damaged segment header"})
	}
}

// checkSegments checks all segments in their order.
func (c *checker) checkSegments(segments []vfs.FileInfo, frame func(*segment.Frame) error) error {
	segments, headers := c.ownSegments(segments)
	for i, f := range segments {
		end := ^uint64(0)
		for k := i + 1; k < len(segments) && end == ^uint64(0); k++ {
			if headers[k].OK {
				end = headers[k].First
			}
		}
		err := c.checkSegment(f, &headers[i], i == len(segments)-1, end, frame)
		if errors.Is(err, os.ErrNotExist) {
			c.known = false // the daemon has removed it, and possibly the segments before it
		} else if err != nil {
			return err
		}
	}
	return nil
}

// ownSegments removes the files that are not segments of this journal from the list. Each
// remaining header fits the name of its file, or is not intact.
func (c *checker) ownSegments(files []vfs.FileInfo) (segments []vfs.FileInfo, headers []layout.Header) {
	for _, f := range files {
		path := filepath.Join(c.dir, f.Name)
		h := layout.ReadHeader(c.fs, path)
		first, _ := segment.ParseName(f.Name)
		if h.OK && (h.Identity != c.who || h.First != first) {
			c.problem(Problem{Path: path, Bytes: f.Bytes, What: "not a part of this journal: copied, renamed, or of another journal"})
			continue
		}
		segments, headers = append(segments, f), append(headers, h)
	}
	return segments, headers
}
