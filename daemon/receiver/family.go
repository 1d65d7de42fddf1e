// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"errors"
	"os"

	"github.com/genltestd/genltestd/daemon/genl"
)

// notified follows the family as nlctrl tells of it, in order with the events.
func (r *Receiver) notified(data []byte) {
	change, err := genl.ParseNotification(data)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		switch {
		case change.Kind == genl.Registered:
			err = r.follow(change.IDs)
		case change.FamilyAfter(r.Family()) != r.Family():
			err = r.follow(genl.FamilyIDs{})
		}
	}
	if err != nil {
		r.log.Error("following the family", "error", err)
	}
}

// resolve asks the kernel for the family; zero ids mean that it is away.
func (r *Receiver) resolve() (genl.FamilyIDs, error) {
	ids, err := r.kernel.Resolve()
	if errors.Is(err, os.ErrNotExist) {
		return genl.FamilyIDs{}, nil
	}
	return ids, err
}

// check corrects the subscription if a notification was lost. While one may
// still be queued it must not: what lies before it in the queue came under the
// old id. So the queue has to be empty, and two checks have to agree.
func (r *Receiver) check() error {
	ids, err := r.resolve()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if ids.ID == r.Family() {
		r.doubt = nil
		return nil
	}
	queued, err := r.socket.Queued()
	if err != nil {
		return err
	}
	if r.doubt == nil || *r.doubt != ids || queued > 0 || r.holding.Load() {
		r.doubt = &ids
		return nil
	}
	r.log.Warn("a notification of the kernel was lost; correcting the subscription", "family_id", ids.ID)
	return r.follow(ids)
}

func (r *Receiver) inDoubt() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.doubt != nil
}

// follow makes ids the family's; zero ids mean that it is away. The caller
// holds mu.
func (r *Receiver) follow(ids genl.FamilyIDs) error {
	r.doubt = nil
	if ids.ID == 0 {
		r.away()
		if !r.told {
			r.told = true
			r.log.Warn("the family is not registered: waiting for its module to be loaded", "family", genl.FamilyName, "hint", genl.AbsenceHint())
		}
		return nil
	}
	known := ids.ID == r.Family()
	// The id first: no event can arrive earlier than the membership.
	r.family.Store(uint32(ids.ID))
	r.noteFamily()
	if err := r.socket.Join(ids.Group); err != nil {
		r.away()
		return err
	}
	r.subscribed.Store(true)
	r.metrics.Subscribed.Set(1)
	if !known {
		r.told = false
		r.metrics.Registrations.Inc()
		r.log.Info("subscribed", "family", genl.FamilyName, "family_id", ids.ID, "group", genl.GroupName, "group_id", ids.Group)
	}
	return nil
}

// noteFamily tells a later process the id of the next batch's events. While the
// inbox holds a batch it must not: emptied does it then.
func (r *Receiver) noteFamily() {
	if !r.holding.Load() {
		r.inbox.SetNote(uint64(r.Family()))
	}
}

func (r *Receiver) away() {
	r.family.Store(0)
	r.noteFamily()
	r.subscribed.Store(false)
	r.metrics.Subscribed.Set(0)
}
