// SPDX-License-Identifier: Apache-2.0

package exec

import "github.com/genltestd/genltestd/daemon/event"

// early contains the ids of events that were accepted before an event that precedes them.
// Delivery passes them again, but the program must not receive them twice. Their number is
// at most the size of a batch. A restart of the daemon forgets them.
type early map[string]uint64 // the event's number

// verdicts returns one verdict per event: nil for those that were accepted early, and
// pending for the rest.
func (m early) verdicts(events []event.Event, pending error) []error {
	if len(events) > 0 {
		m.forget(events[0].Seq)
	}
	list := make([]error, len(events))
	for i := range events {
		if _, ok := m[events[i].ID()]; !ok {
			list[i] = pending
		}
	}
	return list
}

// forget removes events that delivery has passed and will not deliver again.
func (m early) forget(before uint64) {
	for id, seq := range m {
		if seq < before {
			delete(m, id)
		}
	}
}

// settle returns how many events, from the first on, were accepted, and the error of the
// next one. It remembers accepted events after that one.
func (m early) settle(events []event.Event, verdicts []error) (accepted int, err error) {
	for accepted < len(events) && verdicts[accepted] == nil {
		accepted++
	}
	for i, verdict := range verdicts {
		switch {
		case verdict != nil:
		case i < accepted:
			delete(m, events[i].ID())
		default:
			m[events[i].ID()] = events[i].Seq
		}
	}
	if accepted < len(events) {
		err = verdicts[accepted]
	}
	return accepted, err
}
