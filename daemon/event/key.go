// SPDX-License-Identifier: Apache-2.0

package event

// A Key identifies an event as its ID does, for maps: it is obtained without an allocation, except
// for tests.
type Key struct {
	JournalID string
	Seq       uint64
	Reason    string // of suppressed events, or the end of the id of a test; empty for other events
}

// Key returns the Key of the event.
func (e *Event) Key() Key {
	k := Key{JournalID: e.JournalID, Seq: e.Seq}
	if e.Suppressed != nil {
		k.Reason = e.Suppressed.Reason
	}
	if e.Test != nil {
		k.Reason = string(AppendLoadID([]byte("test-"), e.Test.Number))
	}
	return k
}
