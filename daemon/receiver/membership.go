// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"errors"
	"fmt"
	"slices"

	"github.com/genltestd/genltestd/daemon/genl"
)

// join joins the target's groups of the family. It publishes as a fault why it cannot join
// some of them, or all. The caller holds mu.
func (r *Receiver) join(ids genl.FamilyIDs) (joined []uint32, err error) {
	if r.socket == nil { // the batch in the inbox is collected without a socket
		return nil, nil
	}
	chosen, missing := r.Target.Choose(ids.Groups)
	joined, err = r.socket.SetGroups(numbersOf(chosen)...)
	r.joinErrors = nil
	if err != nil && !errors.As(err, &r.joinErrors) {
		return joined, err
	}
	r.chosen = chosen
	var faults faultList
	if len(ids.Groups) == 0 {
		faults = append(faults, GroupError{
			None: true, text: "the family " + r.Target.Family + " does not have multicast groups, so its events cannot be received",
		})
	} else if len(missing) > 0 {
		faults = append(faults, r.missingFault(missing, ids.Groups))
	}
	for _, g := range chosen {
		if err := r.joinErrors[g.ID]; err != nil {
			faults = append(faults, r.joinFault(g.Name, err))
		}
	}
	if len(faults) == 0 {
		r.setFault(nil)
	} else {
		r.setFault(faults)
	}
	return joined, nil
}

// memberships returns the names of the groups that are joined. The caller holds mu.
func (r *Receiver) memberships() (names []string) {
	for _, g := range r.chosen {
		if r.joinErrors[g.ID] == nil {
			names = append(names, g.Name)
		}
	}
	return names
}

// isMember reports whether a group of the family is joined. The caller holds mu.
func (r *Receiver) isMember() bool { return len(r.chosen) > len(r.joinErrors) }

// target returns the target. The caller must not hold mu.
func (r *Receiver) target() genl.Target {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Target
}

// SetGroups changes the groups of Options.Target; nil means all groups of the family. It may
// be called at any time. Messages of other groups that are already queued are received. If a
// group cannot be joined, Fault returns the reason.
func (r *Receiver) SetGroups(groups []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Equal(groups, r.Target.Groups) && (groups == nil) == (r.Target.Groups == nil) {
		return nil
	}
	r.Target.Groups = groups
	if r.socket == nil || !r.followed || r.Family() == 0 {
		r.groupsChanged = true // the likely groups are others
		return nil
	}
	if _, err := r.join(genl.FamilyIDs{ID: r.Family(), Groups: r.presentGroups()}); err != nil {
		r.storeFault(fmt.Errorf("cannot change the multicast groups of the family %s: %w", r.Target.Family, err))
		return err // checkSubscription tries again
	}
	if !r.isMember() {
		r.publish(0)
		return nil
	}
	r.publish(r.Family())
	return nil
}

func numbersOf(groups []genl.Group) (ids []uint32) {
	for _, g := range groups {
		ids = append(ids, g.ID)
	}
	return ids
}
