// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"errors"
	"time"
)

// watch checks the socket periodically while the receive loop runs.
func (r *Receiver) watch(ctx context.Context) {
	look := time.NewTicker(watchInterval)
	defer look.Stop()
	defer r.watching.Stop()
	checked, seen := time.Now(), observation{}
	for {
		r.watching.Mark()
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		dropped, mismatch, err := r.checkSocket()
		if now := r.observe(); now != seen {
			seen = now
			r.OnChange()
		}
		// The drops may include a notification.
		if err == nil && (dropped > 0 || mismatch || time.Since(checked) >= checkInterval) {
			checked = time.Now()
			err = r.checkSubscription()
		}
		if err != nil {
			r.limits.Warn("cannot check the event socket", "error", err)
		}
	}
}

// An observation is the visible state of the receiver.
type observation struct {
	received uint64
	family   uint16
}

func (r *Receiver) observe() observation { return observation{r.Received(), r.SubscribedTo()} }

// checkSocket counts losses, and interrupts the receive loop if it must act on them.
func (r *Receiver) checkSocket() (dropped uint64, mismatch bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Now()
	switch {
	case r.Subscribed(), r.followed && len(r.presentGroups()) == 0: // without groups it cannot multicast
		r.ledger.setCovered(now)
	case r.followed && !r.isMember(): // its groups cannot be joined
		r.addBlind(now)
	}
	err = r.countDrops(now)
	// This includes drops that a scrape or the receive loop counted since the last
	// check.
	if dropped, r.dropped = r.dropped, 0; dropped > 0 {
		r.limits.Warn("the socket's receive buffer was full, so events were lost", "messages", dropped)
	}
	r.expireCanary()
	r.unsaved = true
	r.saveIfIdle()
	if r.ledger.hasPendingGaps() || r.ledger.needsEmptyQueue() {
		err = errors.Join(err, r.socket.Interrupt())
	}
	return dropped, r.mismatch != nil, err
}

// CountDrops updates the counter of lost events.
func (r *Receiver) CountDrops() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.countDrops(r.Now())
}

// countDrops adds the kernel's drops since the last call. The counter has 32 bits; the
// difference is correct across a wrap. The caller holds mu.
func (r *Receiver) countDrops(now time.Time) error {
	if r.socket == nil {
		return nil
	}
	drops, err := r.socket.Drops()
	if err != nil {
		return err
	}
	// The notifications are read after the drops, so each dropped notification is
	// counted.
	notifications, err := r.socket.Notifications()
	if err != nil {
		return err
	}
	dropped := drops - uint32(r.ledger.Drops)
	if dropped == 0 && r.ledger.UnclassifiedDrops == 0 {
		return nil
	}
	r.ledger.Drops = uint64(drops)
	r.dropped += uint64(dropped)
	lost := r.ledger.addDrops(uint64(dropped), r.ledger.unseenNotifications(notifications), now)
	r.lost[kernelBuffer].Add(float64(lost))
	r.unsaved = true
	return nil
}
