// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"errors"
	"fmt"
	"time"

	"github.com/genltestd/genltestd/daemon/genl"
)

// notified applies a notification of nlctrl, in order with the events. Callers of this
// function and of those below must hold mu, except for checkSubscription and subscribe.
func (r *Receiver) notified(now time.Time, data []byte) {
	r.foreignID, r.groupsChanged = 0, true
	change, err := genl.ParseNotification(r.Target, data)
	if err == nil {
		switch {
		case change.Kind == genl.Registered:
			r.ledger.setCovered(now) // the queue is short while the family is not registered
			err = r.follow(now, change.IDs)
		case change.FamilyAfter(r.Family()) != r.Family():
			r.markAbsent()
			// The load's last losses are counted before another load can lose events.
			if err = r.countDrops(now); err == nil && r.socket != nil && r.ledger.needsEmptyQueue() {
				err = r.socket.Interrupt()
			}
		}
	}
	if err != nil {
		r.limits.Error("cannot follow the registration of the family", "error", err)
	}
}

// isOurs asks the kernel whether our family sent m, because the notification may have
// been lost.
func (r *Receiver) isOurs(m *genl.Message) bool {
	id := m.Family()
	if id == r.foreignID {
		return false
	}
	registry, err := r.Kernel.Resolve(r.Target)
	if err == nil && registry.Family.ID == id {
		err = r.follow(r.Now(), registry.Family)
	}
	if err != nil {
		r.limits.Error("cannot resolve the family of a message", "error", err)
	}
	if r.Family() != id {
		r.foreignID = id
	}
	return r.Family() == id
}

// checkSubscription corrects the subscription if a notification was lost. It must not
// do so while a notification may still be queued, because the messages before it have
// the old id. Therefore the queue must be empty, and two checks must find the same ids.
func (r *Receiver) checkSubscription() error {
	registry, err := r.Kernel.Resolve(r.target())
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := registry.Family
	if ids.ID == r.Family() {
		r.mismatch = nil
		switch {
		case ids.ID != 0 && r.Subscribed() && r.Fault() == nil:
			return nil
		case ids.ID != 0: // an earlier attempt failed
			return r.follow(r.Now(), ids)
		}
		r.ledger.setCovered(r.Now())
		if r.groupsChanged { // an earlier attempt failed
			err = r.joinAhead(registry)
		}
		r.publishAbsence()
		return err
	}
	queued, err := r.socket.Queued()
	if err != nil {
		return err
	}
	if r.mismatch == nil || *r.mismatch != ids.ID || queued > 0 || r.holding {
		r.mismatch = &ids.ID
		return nil
	}
	r.mismatch = nil
	r.limits.Warn("a notification of the kernel was lost; correcting the subscription", "family_id", ids.ID)
	if ids.ID == 0 {
		r.markAbsent()
		err = r.joinAhead(registry)
	} else {
		err = r.follow(r.Now(), ids)
	}
	r.publishAbsence()
	return err
}

// subscribe corrects the groups of the socket that open returned. If continues is true,
// the messages in its queue follow those that the ledger has counted.
func (r *Receiver) subscribe(continues bool) error {
	registry, resolveErr := r.Kernel.Resolve(r.target())
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
		if queued > 0 { // a stored socket that is unknown to the ledger
			at = behindQueue
		}
		r.interrupted(now, at)
		r.family.Store(0)
	}
	if resolveErr != nil { // checkSubscription tries again
		r.groupsChanged = true
		r.setFault(resolveErr)
		return nil
	}
	known := r.Family()
	if ids.ID != 0 && (known == ids.ID || !continues) {
		return r.follow(now, ids)
	}
	if known == ids.ID {
		r.markAbsent()
	}
	err := r.joinAhead(registry)
	r.publishAbsence()
	return err
}

// follow subscribes to the family with these ids, which must not be zero.
func (r *Receiver) follow(now time.Time, ids genl.FamilyIDs) error {
	r.mismatch = nil
	known := ids.ID == r.Family()
	// The id is stored first: no event arrives before the membership exists.
	r.family.Store(uint32(ids.ID))
	r.nameGroups(ids.Groups)
	joined, err := r.join(ids)
	if err != nil {
		r.storeFault(err)
		r.markAbsent()
		return err
	}
	switch {
	case len(joined) > 0 && known:
		r.interrupted(now, behindQueue)
	case len(joined) > 0:
		r.interrupted(now, beforeNext)
	case r.joinedID != 0 && r.ledger.Interruption == uninterrupted: // joined after this load started
		r.ledger.Interruption = beforeReceived
	case r.ledger.Interruption == behindQueue && !known: // joinAhead joined for this registration
		r.ledger.Interruption = beforeNext
	}
	if len(joined) > 0 {
		registry, err := r.Kernel.Resolve(r.Target)
		if err != nil {
			return err
		}
		r.joinedID = registry.Family.ID
	}
	if ids.ID == r.joinedID {
		r.joinedID = 0
	}
	r.unsaved = true
	r.saveIfIdle()
	if !known || r.absenceLogged {
		r.Metrics.Registrations.Inc()
	}
	r.absenceLogged = false
	r.followed = true
	if !r.isMember() {
		r.publish(0)
		return nil
	}
	before := r.SubscribedTo()
	r.publish(ids.ID)
	if !known || before == 0 {
		r.OnAppear()
		r.Log.Info("subscribed", "family_id", ids.ID, "groups", r.memberships())
	}
	return nil
}

// interrupted records that events may have been multicast while no socket was
// subscribed.
func (r *Receiver) interrupted(now time.Time, at interruption) {
	if err := r.countDrops(now); err != nil {
		r.limits.Warn("counting lost events", "error", err)
	}
	if r.ledger.Interruption != behindQueue && r.joinedID == 0 { // otherwise some may belong to the present load
		r.ledger.PriorLoadDrops = r.ledger.UnnumberedDrops
	}
	r.ledger.Interruption = at
	if blind := r.addBlind(now); blind > 0 && !r.numbered {
		r.limits.Warn("events may have been multicast while no socket was subscribed; nothing can count them", "blind", blind)
	}
}

// addBlind counts the time since the last moment at which no event could be missed.
func (r *Receiver) addBlind(now time.Time) time.Duration {
	blind := r.blind(now)
	r.Metrics.Blind.Add(blind.Seconds())
	r.ledger.setCovered(now)
	r.unsaved = true
	return blind
}

// markAbsent stops accepting messages of the family. It publishes nothing: an observer
// may load the module as soon as it sees that the family is absent. Callers must join
// the likely groups and then call publishAbsence.
func (r *Receiver) markAbsent() {
	r.family.Store(0)
	r.ledger.setCovered(r.Now())
	r.groupsChanged, r.unsaved = true, true
	r.saveIfIdle()
}

// publishAbsence publishes that the family is absent. It does nothing while a family is
// accepted.
func (r *Receiver) publishAbsence() {
	if r.Family() != 0 {
		return
	}
	r.publish(0)
	r.followed, r.chosen, r.joinErrors = false, nil, nil
	absent := genl.AbsentError{Family: r.Target.Family}
	hint := genl.AbsenceHint(r.Target)
	r.storeFault(fmt.Errorf("%w: %s", absent, hint))
	if !r.absenceLogged && !r.leaving.Load() {
		r.absenceLogged = true
		r.Log.Warn("the family is not registered: waiting for its module to be loaded", "hint", hint)
	}
}

// joinAheadAgain calls joinAhead with the current registry.
func (r *Receiver) joinAheadAgain() {
	registry, err := r.Kernel.Resolve(r.Target)
	if err == nil {
		err = r.joinAhead(registry)
	}
	if err != nil {
		r.limits.Warn("cannot join the groups that the family may be assigned", "error", err)
	}
}

// joinAhead joins a group before the notification of the registration arrives: the
// group of a family that is already registered, or else the groups that the kernel is
// likely to assign. Messages that are multicast directly after the registration are
// then received. The kernel does not guarantee these numbers, so follow corrects them.
func (r *Receiver) joinAhead(registry genl.Registry) error {
	if r.leaving.Load() {
		return nil
	}
	r.groupsChanged = true // until it succeeds, checkSubscription retries
	late := false
	if registry.Family.ID == 0 {
		joined, err := r.socket.SetGroups(registry.LikelyGroups(r.Target, r.presentGroups())...)
		if err != nil {
			return err
		}
		if len(joined) == 0 {
			r.groupsChanged = false
			return nil
		}
		// The family may have been registered, and have multicast, before the socket
		// joined.
		if registry, err = r.Kernel.Resolve(r.Target); err != nil {
			return err
		}
		if registry.Family.ID == 0 {
			r.groupsChanged = false
			return nil
		}
		late = true
	}
	chosen, _ := r.Target.Choose(registry.Family.Groups)
	joined, err := r.socket.SetGroups(numbersOf(chosen)...)
	if errors.As(err, new(genl.JoinErrors)) {
		err = nil // follow reports it
	}
	r.groupsChanged = err != nil
	if late || len(joined) > 0 {
		r.interrupted(r.Now(), behindQueue)
	}
	return err
}

// publish makes the subscription visible. The argument is 0 while there is no
// subscription.
func (r *Receiver) publish(family uint16) {
	r.subscribed.Store(uint32(family))
	r.Metrics.Subscribed.Set(float64(min(family, 1)))
}
