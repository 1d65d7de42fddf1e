// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

const (
	metaName  = "meta"
	stateName = "state"
	lockName  = "lock"

	quarantineName = "quarantine"
	metaMaxLen     = 256
)

// metaLine is the whole of the file meta. All versions of the format begin and
// end it like this, so that an older daemon can tell a newer journal.
const metaLine = "genltestd-journal format=%d id=%016x mark=%016x"

func encodeMeta(who segment.Identity) []byte {
	line := fmt.Sprintf(metaLine, segment.FormatVersion, who.ID, who.Mark)
	return fmt.Appendf(nil, "%s crc=%08x\n", line, checksum([]byte(line)))
}

// parseMeta returns ok false for a damaged file, and ErrNewer for one that a
// newer version of the program has written.
func parseMeta(b []byte) (who segment.Identity, ok bool, err error) {
	line, sum, found := bytes.Cut(bytes.TrimSuffix(b, []byte("\n")), []byte(" crc="))
	if !found || string(sum) != fmt.Sprintf("%08x", checksum(line)) {
		return segment.Identity{}, false, nil
	}
	var format int
	if _, err := fmt.Sscanf(string(line), "genltestd-journal format=%d ", &format); err != nil {
		return segment.Identity{}, false, nil // it is damaged
	}
	if format > segment.FormatVersion {
		return segment.Identity{}, false, fmt.Errorf("%w: format %d, this program knows %d; install the version that wrote it, or give the journal another directory", ErrNewer, format, segment.FormatVersion)
	}
	if _, err := fmt.Sscanf(string(line), metaLine, &format, &who.ID, &who.Mark); err != nil {
		return segment.Identity{}, false, nil // it is damaged
	}
	return who, true, nil
}

// A listing is what a journal's directory holds.
type listing struct {
	segments []vfs.FileInfo // in order
	cursors  []vfs.FileInfo
	temps    []vfs.FileInfo
	others   []vfs.FileInfo // the lock, and whatever is in the place of the quarantine
	meta     bool
	state    bool
	foreign  bool // there is something that no journal makes
}

func list(fs vfs.FS, dir string) (listing, error) {
	files, err := fs.List(dir)
	if err != nil {
		return listing{}, err
	}
	var l listing
	for _, f := range files {
		_, isSegment := segment.ParseName(f.Name)
		switch {
		case f.Name == quarantineName && f.Kind == vfs.KindDirectory, f.Name == "lost+found":
		case f.Name == lockName, f.Name == quarantineName:
			l.others = append(l.others, f)
		case f.Name == metaName:
			l.meta = true
		case f.Name == stateName:
			l.state = true
		case strings.HasSuffix(f.Name, vfs.TempSuffix):
			l.temps = append(l.temps, f)
		case isSegment:
			l.segments = append(l.segments, f) // List sorts by name, which is by number
		case strings.HasPrefix(f.Name, cursorPrefix):
			l.cursors = append(l.cursors, f)
		default:
			l.foreign = true
		}
	}
	return l, nil
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
