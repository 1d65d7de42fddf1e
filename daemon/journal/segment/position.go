// SPDX-License-Identifier: Apache-2.0

package segment

import "time"

// A Position is a place between two messages of a journal.
type Position struct {
	Next  uint64 // number of the message after it; 0 in a position that is not known
	Index uint64 // number of messages that were journaled before it
}

// UnknownIndex is the index of a position whose index no file contains. No message
// counts as missing before such a position.
const UnknownIndex = ^uint64(0)

// A Record is one message in a journal. Its Data must not be modified.
type Record struct {
	Seq  uint64    // its number
	Time time.Time // of receipt
	Data []byte

	Index uint64 // number of messages that were journaled before it
}

// Position returns the position after the record.
func (r *Record) Position() Position { return Position{Next: r.Seq + 1, Index: r.Index + 1} }
