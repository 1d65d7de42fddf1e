// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"errors"
	"time"
)

// watch looks after the socket beside the receive loop.
func (r *Receiver) watch(ctx context.Context) {
	look := time.NewTicker(watchInterval)
	defer look.Stop()
	checked, seen := time.Now(), observation{}
	for {
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
		// A notification may be among it.
		if err == nil && (dropped > 0 || mismatch || time.Since(checked) >= checkInterval) {
			checked = time.Now()
			err = r.checkSubscription()
		}
		if err != nil {
			r.limits.Warn("watching the event socket", "error", err)
		}
	}
}

// An observation is what others see of the receiver.
type observation struct {
	received uint64
	family   uint16
}

func (r *Receiver) observe() observation { return observation{r.Received(), r.SubscribedTo()} }

// look counts what was lost, and wakes the receive loop if it has to act on it.
func (r *Receiver) checkSocket() (dropped uint64, mismatch bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Now()
	if r.Subscribed() {
		r.ledger.setCovered(now)
	}
	err = r.countDrops(now)
	// Also what a scrape or the receive loop has counted since the last look.
	if dropped, r.dropped = r.dropped, 0; dropped > 0 {
		r.limits.Warn("the socket's receive buffer was full: events are lost", "messages", dropped)
	}
	r.unsaved = true
	r.saveIfIdle()
	if r.ledger.hasPendingGaps() || r.ledger.needsEmptyQueue() {
		err = errors.Join(err, r.socket.Interrupt())
	}
	return dropped, r.mismatch != nil, err
}

// CountDrops brings the counter of lost events up to date.
func (r *Receiver) CountDrops() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.countDrops(r.Now())
}

// countDrops adds what the kernel has dropped since the last look. The counter
// has 32 bits; the difference is right across its wrap. The caller holds mu.
func (r *Receiver) countDrops(now time.Time) error {
	if r.socket == nil {
		return nil
	}
	drops, err := r.socket.Drops()
	if err != nil {
		return err
	}
	// After the drops: none of them is a notification that is not counted yet.
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
