// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"time"

	"github.com/genltestd/genltestd/daemon/genl"
)

// notified follows the family as nlctrl tells of it, in order with the events.
// The caller holds mu, as for all that follows but check and subscribe.
func (r *Receiver) notified(now time.Time, data []byte) {
	r.foreignID, r.groupsChanged = 0, true
	change, err := genl.ParseNotification(data)
	if err == nil {
		switch {
		case change.Kind == genl.Registered:
			r.ledger.setCovered(now) // the queue is short when nobody multicasts
			err = r.follow(now, change.IDs)
		case change.FamilyAfter(r.Family()) != r.Family():
			r.markAbsent()
			// To settle what the load lost at its end, before another one loses some.
			if err = r.countDrops(now); err == nil && r.ledger.needsEmptyQueue() {
				err = r.socket.Interrupt()
			}
		}
	}
	if err != nil {
		r.limits.Error("following the family", "error", err)
	}
}

// isOurs asks the kernel whose message m is: the notification may have been lost.
func (r *Receiver) isOurs(m *genl.Message) bool {
	id := m.Family()
	if id == r.foreignID {
		return false
	}
	registry, err := r.Kernel.Resolve()
	if err == nil && registry.Family.ID == id {
		err = r.follow(r.Now(), registry.Family)
	}
	if err != nil {
		r.limits.Error("asking for the family of a message", "error", err)
	}
	if r.Family() != id {
		r.foreignID = id
	}
	return r.Family() == id
}

// check corrects the subscription if a notification was lost. While one may
// still be queued it must not: what lies before it in the queue came under the
// old id. So the queue has to be empty, and two checks have to agree.
func (r *Receiver) checkSubscription() error {
	registry, err := r.Kernel.Resolve()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := registry.Family
	if ids.ID == r.Family() && (ids.ID == 0 || r.Subscribed()) {
		r.mismatch = nil
		if ids.ID != 0 {
			return nil
		}
		r.ledger.setCovered(r.Now())
		if r.groupsChanged { // an earlier attempt failed
			return r.joinAhead(registry)
		}
		return nil
	}
	queued, err := r.socket.Queued()
	if err != nil {
		return err
	}
	if r.mismatch == nil || *r.mismatch != ids || queued > 0 || r.holding {
		r.mismatch = &ids
		return nil
	}
	r.mismatch = nil
	r.Log.Warn("a notification of the kernel was lost; correcting the subscription", "family_id", ids.ID)
	if ids.ID == 0 {
		r.markAbsent()
		err = r.joinAhead(registry)
	} else {
		err = r.follow(r.Now(), ids)
	}
	r.publishAbsence()
	return err
}

// subscribe makes the socket right that open has got. continues says that what is
// queued in it comes after what the ledger knows.
func (r *Receiver) subscribe(continues bool) error {
	registry, err := r.Kernel.Resolve()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.saveIfIdle()
	now, ids := r.Now(), registry.Family
	if !continues {
		queued, err := r.socket.Queued()
		if err != nil {
			return err
		}
		at := beforeNext
		if queued > 0 { // a stored socket that the ledger does not know
			at = behindQueue
		}
		r.interrupted(now, at)
		r.family.Store(0)
	}
	known := r.Family()
	if ids.ID != 0 && (known == ids.ID || !continues) {
		return r.follow(now, ids)
	}
	if known == ids.ID {
		r.markAbsent()
	}
	err = r.joinAhead(registry)
	r.publishAbsence()
	return err
}

// follow makes ids, which are not zero, the family's.
func (r *Receiver) follow(now time.Time, ids genl.FamilyIDs) error {
	r.mismatch = nil
	known := ids.ID == r.Family()
	// The id first: no event can arrive earlier than the membership.
	r.family.Store(uint32(ids.ID))
	joined, err := r.socket.SetGroups(ids.Group)
	if err != nil {
		r.markAbsent()
		return err
	}
	switch {
	case len(joined) > 0 && known:
		r.interrupted(now, behindQueue)
	case len(joined) > 0:
		r.interrupted(now, beforeNext)
	case r.joinedID != 0 && r.ledger.Interruption == uninterrupted: // joined after this load had begun
		r.ledger.Interruption = beforeReceived
	case r.ledger.Interruption == behindQueue && !known: // joinAhead was for this
		r.ledger.Interruption = beforeNext
	}
	if len(joined) > 0 {
		registry, err := r.Kernel.Resolve()
		if err != nil {
			return err
		}
		r.joinedID = registry.Family.ID
	}
	if ids.ID == r.joinedID {
		r.joinedID = 0
	}
	before := r.SubscribedTo()
	r.publish(ids.ID)
	if !known || before == 0 {
		r.OnAppear()
	}
	r.unsaved = true
	r.saveIfIdle()
	if !known || r.absenceLogged {
		r.Metrics.Registrations.Inc()
		r.Log.Info("subscribed", "family", genl.FamilyName, "family_id", ids.ID, "group", genl.GroupName, "group_id", ids.Group)
	}
	r.absenceLogged = false
	return nil
}

// interrupted says that something may have been multicast that no socket was
// there for.
func (r *Receiver) interrupted(now time.Time, at interruption) {
	if err := r.countDrops(now); err != nil {
		r.limits.Warn("counting lost events", "error", err)
	}
	if r.ledger.Interruption != behindQueue && r.joinedID == 0 { // else some may be of a load that is there already
		r.ledger.PriorLoadDrops = r.ledger.UnnumberedDrops
	}
	r.ledger.Interruption = at
	r.Metrics.Blind.Add(r.blind(now).Seconds())
	r.ledger.setCovered(now)
	r.unsaved = true
}

// away stops accepting messages of the family. It publishes nothing: an observer may
// load the module as soon as it sees that the family is away. Callers must join the
// likely groups and then call publishAbsence.
func (r *Receiver) markAbsent() {
	r.family.Store(0)
	r.ledger.setCovered(r.Now())
	r.groupsChanged, r.unsaved = true, true
	r.saveIfIdle()
}

// publishAbsence publishes that the family is away. It does nothing while a family is accepted.
func (r *Receiver) publishAbsence() {
	if r.Family() != 0 {
		return
	}
	r.publish(0)
	if !r.absenceLogged {
		r.absenceLogged = true
		r.Log.Warn("the family is not registered: waiting for its module to be loaded", "family", genl.FamilyName, "hint", genl.AbsenceHint())
	}
}

// joinAheadAgain joins ahead of what nlctrl knows now.
func (r *Receiver) joinAheadAgain() {
	registry, err := r.Kernel.Resolve()
	if err == nil {
		err = r.joinAhead(registry)
	}
	if err != nil {
		r.limits.Warn("joining the groups that the family is likely to get", "error", err)
	}
}

// joinAhead joins before the news of a registration has been received: the group
// of a family that is there already, or else those that it is likely to get. Then
// what is multicast directly after its registration arrives. That is how the
// kernel gives out numbers and no promise, so follow corrects it.
func (r *Receiver) joinAhead(registry genl.Registry) error {
	r.groupsChanged = true // until it has succeeded: check tries again
	late := false
	if registry.Family.ID == 0 {
		joined, err := r.socket.SetGroups(registry.Free[:]...)
		if err != nil {
			return err
		}
		if len(joined) == 0 {
			r.groupsChanged = false
			return nil
		}
		// The family may have come, and multicast, before the socket joined.
		if registry, err = r.Kernel.Resolve(); err != nil {
			return err
		}
		if registry.Family.ID == 0 {
			r.groupsChanged = false
			return nil
		}
		late = true
	}
	joined, err := r.socket.SetGroups(registry.Family.Group)
	r.groupsChanged = err != nil
	if late || len(joined) > 0 {
		r.interrupted(r.Now(), behindQueue)
	}
	return err
}

// publish makes the subscription visible: family is 0 while there is none.
func (r *Receiver) publish(family uint16) {
	r.subscribed.Store(uint32(family))
	r.Metrics.Subscribed.Set(float64(min(family, 1)))
}
