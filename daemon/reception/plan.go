// SPDX-License-Identifier: Apache-2.0

package reception

import (
	"errors"
	"fmt"
	"slices"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/daemon/teardown"
)

// A Plan is everything that a new list of families needs. It is made before anything
// changes, so that applying it cannot fail. A Plan is either applied or discarded.
type Plan struct {
	set      *Set
	families []*member // in the order of the configuration
	added    []*member // subset of families
	changed  []change
	removed  []*member
	undo     teardown.Stack
}

// A change is the new form of a family that is already received.
type change struct {
	*member
	to Family
}

// Plan subscribes to the families that are new. The error is a *FamilyError. After an error,
// nothing that the plan created is left. A family that is registered without a multicast
// group is an error, because its events can never be received.
func (s *Set) Plan(families []Family) (*Plan, error) {
	p := &Plan{set: s}
	for _, f := range families {
		if err := p.add(f); err != nil {
			p.Discard()
			return nil, err
		}
	}
	for _, m := range s.all() {
		if !slices.Contains(p.families, m) {
			p.removed = append(p.removed, m)
		}
	}
	return p, nil
}

func (p *Plan) add(f Family) error {
	if m := p.set.of(f.Family); m != nil {
		p.families = append(p.families, m)
		if !m.isSame(f) {
			p.changed = append(p.changed, change{m, f})
		}
		return nil
	}
	if p.set.isLeaving(f.Family) {
		return familyError(f.Family, errors.New("it was removed, and its last events are not in the journal yet; try again later"))
	}
	// A file of a family that was not configured is not that of the socket.
	if err := p.set.removeInbox(f.Target); err != nil {
		return familyError(f.Family, err)
	}
	m, err := p.set.open(f, false)
	if err != nil {
		p.undo.Push(func() error {
			p.set.Kernel.Forget(f.Target) // the receiver may have failed after its socket was stored
			return p.set.removeInbox(f.Target)
		})
		return err
	}
	p.undo.Push(func() error {
		err := m.receiver.Close()
		return errors.Join(err, p.set.remove(m))
	})
	var groups receiver.GroupError
	if errors.As(m.receiver.Fault(), &groups) && groups.None {
		return familyError(f.Family, groups)
	}
	p.families, p.added = append(p.families, m), append(p.added, m)
	return nil
}

// isSame reports whether a family needs no change.
func (m *member) isSame(f Family) bool {
	sameGroups := slices.Equal(m.Groups, f.Groups) && (m.Groups == nil) == (f.Groups == nil)
	return sameGroups && m.BufferBytes == f.BufferBytes
}

// Discard closes and removes everything that the plan created.
func (p *Plan) Discard() {
	if err := p.undo.Run(); err != nil {
		p.set.Log.Error("reload: closing what the failed reload has opened", "error", err)
	}
}

// Changes returns the names of the families that the plan changes.
func (p *Plan) Changes() (changes api.Families) {
	for _, m := range p.added {
		changes.Added = append(changes.Added, m.Family.Family)
	}
	for _, c := range p.changed {
		changes.Changed = append(changes.Changed, c.Family.Family)
	}
	for _, m := range p.removed {
		changes.Removed = append(changes.Removed, m.Family.Family)
	}
	return changes
}

// Warnings returns a line for each new family whose events cannot arrive yet.
func (p *Plan) Warnings() (lines []string) {
	for _, m := range p.added {
		if err := m.receiver.Fault(); err != nil {
			lines = append(lines, fmt.Sprintf("family %s: %v", m.Family.Family, err))
		}
	}
	return lines
}

// Apply makes the set receive the new list. The sockets of families that did not change are
// not touched. A removed family leaves its groups; its queued events are received and
// journaled before its socket is closed, which Apply does not wait for.
func (p *Plan) Apply() {
	s := p.set
	s.mu.Lock()
	s.families = p.families
	s.leaving = append(s.leaving, p.removed...)
	s.mu.Unlock()
	for _, c := range p.changed {
		s.change(c)
	}
	for _, m := range p.added {
		s.Log.Info("the family is received from now on", "family", m.Family.Family)
		s.start(m)
	}
	for _, m := range p.removed {
		s.leave(m)
	}
	s.reportInboxes()
}

// change applies new groups and a new buffer to the socket of a family.
func (s *Set) change(c change) {
	s.mu.Lock()
	resize := c.BufferBytes != c.to.BufferBytes
	c.Groups, c.BufferBytes = c.to.Groups, c.to.BufferBytes
	s.mu.Unlock()
	if resize {
		if err := c.receiver.SetBuffer(c.to.BufferBytes); err != nil {
			s.Log.Error("cannot change the size of the receive buffer; the next start does", "family", c.to.Family, "error", err)
		}
	}
	if err := c.receiver.SetGroups(c.to.Groups); err != nil {
		s.Log.Error("cannot change the multicast groups; retrying", "family", c.to.Family, "error", err)
	}
}
