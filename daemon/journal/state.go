// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
)

const (
	// reserveStep is how many numbers are reserved at a time. After a stop that was
	// not clean the rest is given up: it may have been handed out.
	reserveStep = 1 << 20
	// lostStateStep is what is skipped when even the reserve is not known.
	lostStateStep = 1 << 40
)

// The state is the value of the slot file of that name.
type state struct {
	segment.Identity
	reserved uint64 // no number above this one was handed out
	suspect  bool   // an fsync has failed: the kernel may call clean what the disk does not have
	clean    bool   // the journal was closed, and what follows holds
	position        // of the next message
	// generation of the last batch
	generation uint64
	synced     uint64 // highest number that was known to be durable
	// Of the oldest and the newest segment that there must be, the first number; 0 when
	// it is not known. They are the clean stop's as well as any other's.
	oldest, newest uint64
}

// A position is a place between two messages.
type position struct {
	next  uint64 // number of the message after it
	index uint64 // how many messages were journaled before it
}

func (s *state) encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, slot.ValueLen)
	for _, v := range []uint64{s.ID, s.Mark, s.reserved, s.next, s.index, s.generation, s.synced} {
		b = le.AppendUint64(b, v)
	}
	flag := byte(0)
	switch {
	case s.clean:
		flag = 1
	case s.suspect:
		flag = 2
	}
	b = append(b, flag, 0, 0, 0, 0, 0, 0, 0)
	return le.AppendUint64(le.AppendUint64(b, s.oldest), s.newest)
}

func parseState(b []byte) (s state) {
	if len(b) != slot.ValueLen {
		return state{}
	}
	le := binary.LittleEndian
	s.ID, s.Mark, s.reserved = le.Uint64(b), le.Uint64(b[8:]), le.Uint64(b[16:])
	s.next, s.index, s.generation = le.Uint64(b[24:]), le.Uint64(b[32:]), le.Uint64(b[40:])
	s.synced, s.clean, s.suspect = le.Uint64(b[48:]), b[56] == 1, b[56] == 2
	s.oldest, s.newest = le.Uint64(b[64:]), le.Uint64(b[72:])
	return s
}
