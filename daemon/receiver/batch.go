// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"fmt"
	"time"

	"github.com/genltestd/genltestd/daemon/genl"
)

// handle takes one batch into the journal. It is the hot path: it allocates
// nothing per message and waits for nothing but the journal.
func (r *Receiver) handle(ctx context.Context, messages []genl.Message) error {
	now := time.Now()
	r.holding.Store(true)
	r.busySince.Store(now.UnixNano())
	defer r.busySince.Store(0)
	r.records = r.records[:0]
	for _, m := range messages {
		switch verdict := genl.Classify(m, r.Family()); verdict {
		case genl.Event:
			r.records = append(r.records, m.Data)
		case genl.Notification:
			r.notified(m.Data)
		default:
			r.refused[verdict].Inc()
		}
	}
	if len(r.records) > 0 {
		if err := r.append(ctx, now); err != nil {
			return err
		}
		r.metrics.Received.Add(float64(len(r.records)))
	}
	r.emptied()
	return nil
}

// append journals the records, once the journal can take them.
func (r *Receiver) append(ctx context.Context, now time.Time) error {
	err := r.journal.Append(r.inbox.Generation(), now, r.records)
	if err == nil {
		return nil
	}
	return r.appendLater(ctx, now, err)
}

// appendLater waits for the journal: the batch stays in the inbox, and what comes
// after it in the socket's buffer, where the kernel counts what does not fit.
func (r *Receiver) appendLater(ctx context.Context, now time.Time, err error) error {
	r.log.Error("the journal does not accept events; they wait in the socket's buffer", "error", err)
	defer r.blocked.Store(nil)
	for err != nil {
		r.blocked.Store(&err)
		r.busySince.Store(0) // waiting, not stuck
		select {
		case <-time.After(retryAppend):
		case <-ctx.Done():
			return fmt.Errorf("append to the journal: %w", err)
		}
		err = r.journal.Append(r.inbox.Generation(), now, r.records)
	}
	r.log.Info("the journal accepts events again")
	return nil
}

// recover journals the batch of a process that ended before it could.
func (r *Receiver) recover() error {
	generation, left := r.inbox.Generation(), r.batch.Left()
	if len(left) == 0 || generation <= r.journal.LastGeneration() {
		return nil
	}
	family := uint16(r.inbox.Note()) //nolint:gosec // stored from one
	r.records = r.records[:0]
	for _, m := range left {
		switch genl.Classify(m, family) {
		case genl.Event:
			r.records = append(r.records, m.Data)
		case genl.Notification:
			// The event socket is gone, and its subscription with it; but the events
			// behind the news came under the new id.
			if change, err := genl.ParseNotification(m.Data); err == nil {
				family = change.FamilyAfter(family)
			}
		}
	}
	if len(r.records) == 0 {
		return nil
	}
	if err := r.journal.Append(generation, time.Now(), r.records); err != nil {
		return fmt.Errorf("journal what the last process had received: %w", err)
	}
	r.metrics.Received.Add(float64(len(r.records)))
	r.log.Info("journaled events that the last process had received and not journaled", "events", len(r.records))
	return nil
}

// emptied makes the inbox ready for the next batch. The batch goes first: a
// newer generation must never stand over an old batch.
func (r *Receiver) emptied() {
	r.batch.Clear()
	r.inbox.SetNote(uint64(r.Family()))
	r.inbox.SetGeneration(r.journal.LastGeneration() + 1)
	r.holding.Store(false)
}

// Blocked returns why the journal does not accept events, nil while it does.
func (r *Receiver) Blocked() error {
	if err := r.blocked.Load(); err != nil {
		return *err
	}
	return nil
}

// Stuck returns for how long the receiver has been busy with one batch.
func (r *Receiver) Stuck(now time.Time) time.Duration {
	since := r.busySince.Load()
	if since == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, since))
}
