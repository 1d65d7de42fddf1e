// SPDX-License-Identifier: Apache-2.0

package reception

import (
	"fmt"
	"slices"

	"github.com/genltestd/genltestd/daemon/genl"
)

// leave makes the receiver of a removed family end when its queued events are journaled.
func (s *Set) leave(m *member) {
	s.logLeaving(m)
	m.receiver.Leave()
}

func (s *Set) logLeaving(m *member) {
	s.Log.Info("the family is not configured any more; its queued events are still received", "family", m.Family.Family)
}

// left releases what a removed family has used, after its receiver has ended. It does
// nothing if the receiver ended because the daemon stops: the next start continues.
func (s *Set) left(m *member) {
	s.mu.Lock()
	i := slices.Index(s.leaving, m)
	if i < 0 || !m.receiver.HasLeft() {
		s.mu.Unlock()
		return
	}
	// A reload can add the family again as soon as it is not in the list.
	defer s.reportInboxes()
	defer s.mu.Unlock()
	if err := s.remove(m); err != nil {
		s.Log.Error("removing the inbox of a family that is not configured any more", "family", m.Family.Family, "error", err)
	}
	s.leaving = slices.Delete(s.leaving, i, i+1)
	s.Log.Info("the events of the removed family are in the journal", "family", m.Family.Family, "events", m.receiver.Received())
}

func (s *Set) isLeaving(family string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.leaving, func(m *member) bool { return m.Family.Family == family })
}

// leftoverBuffer is enough for a socket that has left its groups. Messages that are already
// queued stay in the queue.
const leftoverBuffer = 64 << 10

// openLeftovers opens the families that are not configured any more, but have an inbox: it
// may contain a batch, and systemd may have stored a socket with queued events. No inbox may
// be left out: it would not be settled before the journal continues; see inbox.Settle.
func (s *Set) openLeftovers() error {
	names, err := s.Inboxes.families()
	if err != nil {
		return fmt.Errorf("search for inboxes of families that are not configured any more: %w", err)
	}
	for _, name := range names {
		if s.of(name) != nil {
			continue
		}
		m, err := s.open(Family{genl.Target{Family: name, Groups: []string{}}, leftoverBuffer}, true)
		if err != nil {
			return fmt.Errorf("open the inbox of %s, which is not configured any more: %w", name, err)
		}
		s.logLeaving(m)
		s.leaving = append(s.leaving, m)
	}
	return nil
}
