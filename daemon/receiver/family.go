// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"time"

	"github.com/genltestd/genltestd/daemon/genl"
)

// notified follows the family as nlctrl tells of it, in order with the events.
// The caller holds mu, as for all that follows but check and subscribe.
func (r *Receiver) notified(now time.Time, data []byte) {
	r.foreign, r.crowd = 0, true
	change, err := genl.ParseNotification(data)
	if err == nil {
		switch {
		case change.Kind == genl.Registered:
			r.ledger.watched(now) // the queue is short when nobody multicasts
			err = r.follow(now, change.IDs)
		case change.FamilyAfter(r.Family()) != r.Family():
			r.away()
			// To settle what the load lost at its end, before another one loses some.
			if err = r.countDrops(now); err == nil && r.ledger.unsettled() {
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
	if id == r.foreign {
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
		r.foreign = id
	}
	return r.Family() == id
}

// check corrects the subscription if a notification was lost. While one may
// still be queued it must not: what lies before it in the queue came under the
// old id. So the queue has to be empty, and two checks have to agree.
func (r *Receiver) check() error {
	registry, err := r.Kernel.Resolve()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := registry.Family
	if ids.ID == r.Family() && (ids.ID == 0 || r.Subscribed()) {
		r.doubt = nil
		if ids.ID != 0 {
			return nil
		}
		r.ledger.watched(r.Now())
		if r.crowd { // an earlier attempt failed
			return r.joinAhead(registry)
		}
		return nil
	}
	queued, err := r.socket.Queued()
	if err != nil {
		return err
	}
	if r.doubt == nil || *r.doubt != ids || queued > 0 || r.holding {
		r.doubt = &ids
		return nil
	}
	r.doubt = nil
	r.Log.Warn("a notification of the kernel was lost; correcting the subscription", "family_id", ids.ID)
	if ids.ID == 0 {
		r.away()
		err = r.joinAhead(registry)
	} else {
		err = r.follow(r.Now(), ids)
	}
	r.publishAway()
	return err
}

// subscribe makes the socket right that open has got. goesOn says that what is
// queued in it comes after what the ledger knows.
func (r *Receiver) subscribe(goesOn bool) error {
	registry, err := r.Kernel.Resolve()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.save()
	now, ids := r.Now(), registry.Family
	if !goesOn {
		queued, err := r.socket.Queued()
		if err != nil {
			return err
		}
		at := nextOne
		if queued > 0 { // a stored socket that the ledger does not know
			at = somewhen
		}
		r.interrupted(now, at)
		r.family.Store(0)
	}
	known := r.Family()
	if ids.ID != 0 && (known == ids.ID || !goesOn) {
		return r.follow(now, ids)
	}
	if known == ids.ID {
		r.away()
	}
	err = r.joinAhead(registry)
	r.publishAway()
	return err
}

// follow makes ids, which are not zero, the family's.
func (r *Receiver) follow(now time.Time, ids genl.FamilyIDs) error {
	r.doubt = nil
	known := ids.ID == r.Family()
	// The id first: no event can arrive earlier than the membership.
	r.family.Store(uint32(ids.ID))
	joined, err := r.socket.SetGroups(ids.Group)
	if err != nil {
		r.away()
		return err
	}
	switch {
	case len(joined) > 0 && known:
		r.interrupted(now, somewhen)
	case len(joined) > 0:
		r.interrupted(now, nextOne)
	case r.latest != 0 && r.ledger.Break == noBreak: // joined after this load had begun
		r.ledger.Break = lately
	case r.ledger.Break == somewhen && !known: // joinAhead was for this
		r.ledger.Break = nextOne
	}
	if len(joined) > 0 {
		registry, err := r.Kernel.Resolve()
		if err != nil {
			return err
		}
		r.latest = registry.Family.ID
	}
	if ids.ID == r.latest {
		r.latest = 0
	}
	before := r.SubscribedTo()
	r.publish(ids.ID)
	if !known || before == 0 {
		r.OnAppear()
	}
	r.unsaved = true
	r.save()
	if !known || r.told {
		r.Metrics.Registrations.Inc()
		r.Log.Info("subscribed", "family", genl.FamilyName, "family_id", ids.ID, "group", genl.GroupName, "group_id", ids.Group)
	}
	r.told = false
	return nil
}

// interrupted says that something may have been multicast that no socket was
// there for.
func (r *Receiver) interrupted(now time.Time, at brk) {
	if err := r.countDrops(now); err != nil {
		r.limits.Warn("counting lost events", "error", err)
	}
	if r.ledger.Break != somewhen && r.latest == 0 { // else some may be of a load that is there already
		r.ledger.Bygone = r.ledger.Unseen
	}
	r.ledger.Break = at
	r.Metrics.Blind.Add(r.blind(now).Seconds())
	r.ledger.watched(now)
	r.unsaved = true
}

// away stops accepting messages of the family. It publishes nothing: an observer may
// load the module as soon as it sees that the family is away. Callers must join the
// likely groups and then call publishAway.
func (r *Receiver) away() {
	r.family.Store(0)
	r.ledger.watched(r.Now())
	r.crowd, r.unsaved = true, true
	r.save()
}

// publishAway publishes that the family is away. It does nothing while a family is accepted.
func (r *Receiver) publishAway() {
	if r.Family() != 0 {
		return
	}
	r.publish(0)
	if !r.told {
		r.told = true
		r.Log.Warn("the family is not registered: waiting for its module to be loaded", "family", genl.FamilyName, "hint", genl.AbsenceHint())
	}
}

// prejoin joins ahead of what nlctrl knows now.
func (r *Receiver) prejoin() {
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
	r.crowd = true // until it has succeeded: check tries again
	late := false
	if registry.Family.ID == 0 {
		joined, err := r.socket.SetGroups(registry.Free[:]...)
		if err != nil {
			return err
		}
		if len(joined) == 0 {
			r.crowd = false
			return nil
		}
		// The family may have come, and multicast, before the socket joined.
		if registry, err = r.Kernel.Resolve(); err != nil {
			return err
		}
		if registry.Family.ID == 0 {
			r.crowd = false
			return nil
		}
		late = true
	}
	joined, err := r.socket.SetGroups(registry.Family.Group)
	r.crowd = err != nil
	if late || len(joined) > 0 {
		r.interrupted(r.Now(), somewhen)
	}
	return err
}

// publish makes the subscription visible: family is 0 while there is none.
func (r *Receiver) publish(family uint16) {
	r.subscribed.Store(uint32(family))
	r.Metrics.Subscribed.Set(float64(min(family, 1)))
}
