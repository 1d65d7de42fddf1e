// SPDX-License-Identifier: Apache-2.0

// Package layout knows the files in the directory of a journal. It lists and reads them,
// and decides whose journal they are. It changes nothing.
package layout

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// The names of the small files.
const (
	MetaName  = "meta"
	StateName = "state"
	LockName  = "lock"

	metaMaxLen = 256
)

var (
	// ErrNewer means that a newer version of the program has written the journal.
	ErrNewer = errors.New("the journal was written by a newer version")
	// ErrForeign means that the directory does not belong to a journal.
	ErrForeign = errors.New("the directory is not a journal's")
)

// metaLine is the content of the file meta, without the checksum. All versions of the
// format have its beginning and its end in common, so that an older daemon recognizes a
// newer journal.
const metaLine = "genltestd-journal format=%d id=%016x mark=%016x"

// EncodeMeta returns the content of the file meta.
func EncodeMeta(who segment.Identity) []byte {
	line := fmt.Sprintf(metaLine, segment.FormatVersion, who.ID, who.Mark)
	return fmt.Appendf(nil, "%s crc=%08x\n", line, checksum([]byte(line)))
}

// ParseMeta is the inverse of EncodeMeta. ok is false if the file is damaged. The error
// wraps ErrNewer if a newer version of the program has written the file.
func ParseMeta(b []byte) (who segment.Identity, ok bool, err error) {
	line, sum, found := bytes.Cut(bytes.TrimSuffix(b, []byte("\n")), []byte(" crc="))
	if !found || string(sum) != fmt.Sprintf("%08x", checksum(line)) {
		return segment.Identity{}, false, nil
	}
	var format int
	if _, err := fmt.Sscanf(string(line), "genltestd-journal format=%d ", &format); err != nil {
		return segment.Identity{}, false, nil // the file is damaged
	}
	if format > segment.FormatVersion {
		return segment.Identity{}, false, fmt.Errorf("%w: format %d, this program knows %d; "+
			"install the version that wrote it, or give the journal another directory", ErrNewer, format, segment.FormatVersion)
	}
	if _, err := fmt.Sscanf(string(line), metaLine, &format, &who.ID, &who.Mark); err != nil {
		return segment.Identity{}, false, nil // the file is damaged
	}
	return who, true, nil
}

// A Listing is the content of the directory of a journal.
type Listing struct {
	Segments []vfs.FileInfo // in the order of their numbers
	Cursors  []vfs.FileInfo
	Temps    []vfs.FileInfo
	Others   []vfs.FileInfo // the lock, and a file with the name of the quarantine
	Meta     bool
	State    bool
	Foreign  string // name of a file that a journal does not create, or empty
}

// List lists the directory of a journal.
func List(fs vfs.FS, dir string) (Listing, error) {
	files, err := fs.List(dir)
	if err != nil {
		return Listing{}, err
	}
	var l Listing
	for _, f := range files {
		_, isSegment := segment.ParseName(f.Name)
		switch {
		case f.Name == damage.QuarantineName && f.Kind == vfs.KindDirectory, f.Name == "lost+found":
		case f.Name == LockName, f.Name == damage.QuarantineName:
			l.Others = append(l.Others, f)
		case f.Name == MetaName:
			l.Meta = true
		case f.Name == StateName:
			l.State = true
		case strings.HasSuffix(f.Name, vfs.TempSuffix):
			l.Temps = append(l.Temps, f)
		case isSegment:
			l.Segments = append(l.Segments, f) // FS.List sorts by name, so by number
		case strings.HasPrefix(f.Name, cursor.Prefix):
			l.Cursors = append(l.Cursors, f)
		default:
			l.Foreign = f.Name
		}
	}
	return l, nil
}

// checksum returns the checksum of the line in meta.
func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// FormatID returns the id of a journal as it is shown.
func FormatID(id uint64) string {
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, id))
}
