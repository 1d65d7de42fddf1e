// SPDX-License-Identifier: Apache-2.0

// Package state is the state file of a journal: the numbers that are reserved, and how
// the last process has stopped.
package state

import (
	"encoding/binary"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
)

// A Value is the content of the state file.
type Value struct {
	segment.Identity
	Reserved   uint64 // highest number that may have been used
	SyncFailed bool   // an fsync failed: the kernel may mark pages clean that are not on the disk
	Clean      bool   // the journal was closed; then the following fields are valid
	segment.Position
	Generation uint64 // of the last batch
	Synced     uint64 // highest number that was known to be durable

	// Oldest and Newest are the first numbers of the oldest and the newest segment that
	// must exist, or 0 if that is not known. They are also valid if Clean is false.
	Oldest, Newest uint64
}

// Values of the byte after Synced.
const (
	flagClean      = 1
	flagSyncFailed = 2
)

// Encode returns the value as it is stored in a slot.
func (v *Value) Encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, slot.ValueLen)
	for _, n := range []uint64{v.ID, v.Mark, v.Reserved, v.Next, v.Index, v.Generation, v.Synced} {
		b = le.AppendUint64(b, n)
	}
	flag := byte(0)
	switch {
	case v.Clean:
		flag = flagClean
	case v.SyncFailed:
		flag = flagSyncFailed
	}
	b = append(b, flag, 0, 0, 0, 0, 0, 0, 0)
	return le.AppendUint64(le.AppendUint64(b, v.Oldest), v.Newest)
}

// Parse decodes the value of a slot. A value of another length is the zero value.
func Parse(b []byte) (v Value) {
	if len(b) != slot.ValueLen {
		return Value{}
	}
	le := binary.LittleEndian
	v.ID, v.Mark, v.Reserved = le.Uint64(b), le.Uint64(b[8:]), le.Uint64(b[16:])
	v.Next, v.Index, v.Generation = le.Uint64(b[24:]), le.Uint64(b[32:]), le.Uint64(b[40:])
	v.Synced, v.Clean, v.SyncFailed = le.Uint64(b[48:]), b[56] == flagClean, b[56] == flagSyncFailed
	v.Oldest, v.Newest = le.Uint64(b[64:]), le.Uint64(b[72:])
	return v
}
