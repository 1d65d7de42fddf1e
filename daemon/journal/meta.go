// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	metaName   = "meta"
	stateName  = "state"
	lockName   = "lock"
	tempSuffix = ".tmp"

	quarantineName = "quarantine"
	metaMaxLen     = 256
)

// metaLine is the whole of the file meta. All versions of the format begin and
// end it like this, so that an older daemon can tell a newer journal.
const metaLine = "genltestd-journal format=%d id=%016x mark=%016x"

func encodeMeta(who identity) []byte {
	line := fmt.Sprintf(metaLine, formatVersion, who.id, who.mark)
	return fmt.Appendf(nil, "%s crc=%08x\n", line, crc32.Checksum([]byte(line), castagnoli))
}

// parseMeta returns ok false for a damaged file, and ErrNewer for one that a
// newer version of the program has written.
func parseMeta(b []byte) (who identity, ok bool, err error) {
	line, sum, found := bytes.Cut(bytes.TrimSuffix(b, []byte("\n")), []byte(" crc="))
	if !found || string(sum) != fmt.Sprintf("%08x", crc32.Checksum(line, castagnoli)) {
		return identity{}, false, nil
	}
	var format int
	if _, err := fmt.Sscanf(string(line), "genltestd-journal format=%d ", &format); err != nil {
		return identity{}, false, nil // it is damaged
	}
	if format > formatVersion {
		return identity{}, false, fmt.Errorf("%w: format %d, this program knows %d; install the version that wrote it, or give the journal another directory", ErrNewer, format, formatVersion)
	}
	if _, err := fmt.Sscanf(string(line), metaLine, &format, &who.id, &who.mark); err != nil {
		return identity{}, false, nil // it is damaged
	}
	return who, true, nil
}

// A listing is what a journal's directory holds.
type listing struct {
	segments []FileInfo // in order
	cursors  []FileInfo
	temps    []FileInfo
	others   []FileInfo // the lock, and whatever is in the place of the quarantine
	meta     bool
	state    bool
	foreign  bool // there is something that no journal makes
}

func list(fs FS, dir string) (listing, error) {
	files, err := fs.List(dir)
	if err != nil {
		return listing{}, err
	}
	var l listing
	for _, f := range files {
		_, isSegment := parseSegmentName(f.Name)
		switch {
		case f.Name == quarantineName && f.Kind == kindDirectory, f.Name == "lost+found":
		case f.Name == lockName, f.Name == quarantineName:
			l.others = append(l.others, f)
		case f.Name == metaName:
			l.meta = true
		case f.Name == stateName:
			l.state = true
		case strings.HasSuffix(f.Name, tempSuffix):
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

// readFile returns at most limit bytes of a small file.
func readFile(fs FS, path string, limit int) ([]byte, error) {
	f, err := fs.Open(path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	b := make([]byte, limit)
	n, err := f.ReadAt(b, 0)
	f.Close() // only read
	if n < limit && isEOF(err) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b[:n], nil
}

// writeFile makes a small file, whole or not at all.
func writeFile(fs FS, path string, b []byte) error {
	f, err := fs.Open(path+tempSuffix, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = fs.Rename(path+tempSuffix, path)
	}
	if err == nil {
		err = fs.SyncDir(filepath.Dir(path))
	}
	return err
}
