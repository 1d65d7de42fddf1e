// SPDX-License-Identifier: Apache-2.0

package cursor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

const maxName = 128

// Saved is the content of a cursor's file.
type Saved struct {
	Value []byte
	OK    bool // the file is intact
	Err   error
}

// ReadSaved reads the file of a cursor.
func ReadSaved(fs vfs.FS, path string) (s Saved) {
	s.Value, s.OK, s.Err = slot.Read(fs, path)
	return s
}

// Encode returns the value that stores p, of the journal with that id.
func Encode(p segment.Position, id uint64) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, slot.ValueLen)
	for _, v := range []uint64{id, p.Next, p.Index} {
		b = le.AppendUint64(b, v)
	}
	return b
}

// Parse is the inverse of Encode. ok is false if the value is of another journal.
func Parse(b []byte, id uint64) (p segment.Position, ok bool) {
	le := binary.LittleEndian
	if len(b) != slot.ValueLen || le.Uint64(b) != id {
		return segment.Position{}, false
	}
	return segment.Position{Next: le.Uint64(b[8:]), Index: le.Uint64(b[16:])}, true
}

// CheckName returns an error if a reader cannot have this name.
func CheckName(name string) error {
	ok := name != "" && len(name) <= maxName && !strings.HasSuffix(name, vfs.TempSuffix)
	for _, c := range name {
		ok = ok && (c == '-' || c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z')
	}
	if !ok {
		return fmt.Errorf("reader name %q: use 1 to %d letters, digits, '-', '_' or '.', and do not end it with %q",
			name, maxName, vfs.TempSuffix)
	}
	return nil
}

// Lost makes the next write replace the file if the file has lost its name, which it
// reports. has reports whether a path leads to the file with this id.
func (c *Cursor) Lost(has func(path string, id vfs.FileID) (bool, error)) bool {
	c.syncing.Lock()
	defer c.syncing.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.slots == nil {
		if _, err := c.fs.Stat(c.Path); !errors.Is(err, os.ErrNotExist) || !c.Usable() || c.ended {
			return false
		}
	} else {
		info, err := c.slots.Stat()
		if err != nil {
			return false
		}
		if ok, err := has(c.Path, info.ID); ok || err != nil {
			return false
		}
		c.slots.Close() // it is not the file of the cursor any more
		c.slots = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unborn = true
	return true
}

// RemoveFile removes the file.
func (c *Cursor) RemoveFile() error {
	if err := c.fs.Remove(c.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
