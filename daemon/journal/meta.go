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
		return identity{}, false, nil //nolint:nilerr // it is damaged
	}
	if format > formatVersion {
		return identity{}, false, fmt.Errorf("%w: format %d, this program knows %d; install the version that wrote it, or give the journal another directory", ErrNewer, format, formatVersion)
	}
	if _, err := fmt.Sscanf(string(line), metaLine, &format, &who.id, &who.mark); err != nil {
		return identity{}, false, nil //nolint:nilerr // it is damaged
	}
	return who, true, nil
}

// A listing is what a journal's directory holds.
type listing struct {
	segments []FileInfo // in order
	cursors  []FileInfo
	temps    []string
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
		case f.Name == lockName, f.Name == quarantineName, f.Name == "lost+found":
		case f.Dir:
			l.foreign = true
		case f.Name == metaName:
			l.meta = true
		case f.Name == stateName:
			l.state = true
		case strings.HasSuffix(f.Name, tempSuffix):
			l.temps = append(l.temps, f.Name)
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

// identify finds out whose journal a directory holds. fresh means that it holds
// none, and may hold one. repaired means that meta is lost, and what it said was
// found elsewhere.
func identify(fs FS, dir string, l listing) (who identity, fresh, repaired bool, err error) {
	if l.meta {
		b, err := readFile(fs, filepath.Join(dir, metaName), metaMaxLen)
		if err != nil && !errors.Is(err, unix.EIO) {
			return identity{}, false, false, err
		}
		who, ok, err := parseMeta(b)
		if ok || err != nil {
			return who, false, false, err
		}
	}
	if who, ok := identityFromState(fs, dir); ok {
		return who, false, true, nil
	}
	for i := len(l.segments) - 1; i >= 0; i-- {
		if who, ok := identityFromSegment(fs, filepath.Join(dir, l.segments[i].Name)); ok {
			return who, false, true, nil
		}
	}
	if l.meta || l.foreign || len(l.segments)+len(l.cursors) > 0 {
		return identity{}, false, false, fmt.Errorf("%w: it holds files, and none says that it is; give the journal an empty directory of its own", ErrForeign)
	}
	return identity{}, true, false, nil
}

func identityFromState(fs FS, dir string) (identity, bool) {
	s, value, ok, err := openSlots(fs, filepath.Join(dir, stateName), unix.O_RDONLY)
	if err != nil {
		return identity{}, false
	}
	s.file.Close() // only read
	return parseState(value).identity, ok
}

func identityFromSegment(fs FS, path string) (identity, bool) {
	f, err := fs.Open(path, unix.O_RDONLY)
	if err != nil {
		return identity{}, false
	}
	h, ok := readSegmentHeader(f)
	f.Close() // only read
	return h.identity, ok
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
	return b[:n], err
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
