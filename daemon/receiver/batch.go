// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"fmt"
	"time"

	"github.com/genltestd/genltestd/daemon/genl"
)

// handle processes one batch. It is the hot path: it does not allocate per message, and
// it waits only for the journal. An empty batch lets the ledger do the work that needs
// no message.
func (r *Receiver) handle(ctx context.Context, messages []genl.Message) error {
	now := r.Now()
	r.busySince.Store(int64(time.Since(r.createdAt)))
	defer r.busySince.Store(0)
	r.collect(now, messages, ctx.Err() != nil || r.leaving.Load())
	if len(r.records) > 0 {
		if err := r.append(ctx, now); err != nil {
			return err
		}
	}
	r.finish(len(r.records) > 0)
	return nil
}

// collect converts a batch to records, and updates the ledger to its state after they
// are journaled. If atOnce is true, there is no later time to journal a gap.
func (r *Receiver) collect(now time.Time, messages []genl.Message, atOnce bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holding = true
	r.records, r.gaps = r.records[:0], 0
	if len(messages) == 0 && r.socket != nil {
		r.noteEmptyQueue(now)
	}
	r.appendGap(now, atOnce)
	if !r.numbered {
		r.collectOthers(now, messages)
		messages = nil
	}
	// In a function of its own, this loop would cost more instructions per event.
	for i := range messages {
		m := &messages[i]
		verdict, number := genl.Classify(m, r.Family(), r.Sender)
		if verdict != genl.Event {
			if verdict, number = r.handleOther(now, m, verdict); verdict != genl.Event {
				continue
			}
		}
		if missing := r.ledger.next(number); missing > 0 {
			r.countMissing(now, missing)
		}
		if b := r.ledger.Interruption; b == beforeNext || b == beforeReceived {
			r.ledger.Interruption = uninterrupted
		}
		r.records = append(r.records, m.Data)
	}
	r.events = len(r.records) - r.gaps
	r.ledger.Received += uint64(r.events)
	if r.canary.text != "" {
		r.markCanary()
	}
	if r.groupsChanged && r.Family() == 0 {
		r.joinAheadAgain()
	}
	if r.followed && r.Family() == 0 {
		r.publishAbsence()
	}
	if len(r.records) > 0 {
		r.saveSnapshot(r.Inbox.Generation() + 1)
	}
}

// noteEmptyQueue updates the ledger if the queue is empty. The caller holds mu, so that
// no loss is counted after the queue was read. A notification that arrives meanwhile is
// queued or dropped; a later call handles it.
func (r *Receiver) noteEmptyQueue(now time.Time) {
	notifications, err := r.socket.Notifications()
	if err == nil {
		err = r.countDrops(now)
	}
	var queued, after uint32
	if err == nil {
		queued, err = r.socket.Queued()
	}
	if err == nil {
		after, err = r.socket.Notifications()
	}
	if err != nil {
		r.limits.Warn("cannot read the state of the event socket", "error", err)
		return
	}
	if queued == 0 && after == notifications {
		r.ledger.queueEmpty(notifications)
		r.unsaved = true
	}
}

// handleOther processes a message whose verdict is not Event. It returns the final
// verdict, which may be Event.
func (r *Receiver) handleOther(now time.Time, m *genl.Message, verdict genl.Verdict) (genl.Verdict, genl.Number) {
	switch {
	case verdict == genl.Notification:
		r.ledger.NotificationsSeen++
		r.notified(now, m.Data)
		r.unsaved = true
		return verdict, genl.Number{}
	case verdict == genl.Family && r.isOurs(m):
		if !r.numbered {
			return genl.Event, genl.Number{}
		}
		return genl.Classify(m, r.Family(), r.Sender)
	}
	r.refused[verdict].Inc()
	return verdict, genl.Number{}
}

// countMissing counts the events that are missing before the current one.
func (r *Receiver) countMissing(now time.Time, missing uint64) {
	if err := r.countDrops(now); err != nil {
		r.limits.Warn("cannot count lost events", "error", err)
	}
	r.lost[kernelBuffer].Add(float64(r.ledger.confirmMissing(missing, now)))
	counted := r.ledger.alreadyCounted(missing)
	if counted > 0 {
		r.ledger.setRange(kernelBuffer, missing)
	}
	if rest := missing - counted; rest > 0 {
		why := r.ledger.missingReason()
		r.ledger.addLoss(why, rest, now)
		r.ledger.setRange(why, missing)
		r.lost[why].Add(float64(rest))
		r.limits.Warn("events lost", "events", rest, "reason", reasonNames[why])
	}
	r.appendGap(now, false)
}

// appendGap adds a gap to the records, at most once a second.
func (r *Receiver) appendGap(now time.Time, atOnce bool) {
	if gap, ok := r.ledger.takeGap(now, atOnce); ok {
		if !r.numbered {
			gap.Family = r.Target.Family
		}
		r.gap = genl.AppendGap(r.gap[:0], &gap)
		r.records = append(r.records, r.gap)
		r.gaps++
	}
}

// append journals the records as soon as the journal accepts them.
func (r *Receiver) append(ctx context.Context, now time.Time) error {
	err := r.Journal.Append(r.Inbox.BeginAppend(), now, r.records)
	if err == nil {
		return nil
	}
	return r.appendLater(ctx, now, err)
}

// notAccepting is logged while the journal does not accept events.
const notAccepting = "the journal does not accept events; they wait in the socket's buffer"

// appendLater waits for the journal. The batch stays in the inbox. Later messages stay
// in the socket's buffer, and the kernel counts those that do not fit.
func (r *Receiver) appendLater(ctx context.Context, now time.Time, err error) error {
	for err != nil {
		r.limits.Error(notAccepting, "error", err)
		why := err // a copy: other goroutines read it while err changes
		r.blocked.Store(&why)
		r.busySince.Store(0) // it waits and is not stuck
		select {
		case <-time.After(appendRetryInterval):
		case <-ctx.Done():
			return fmt.Errorf("append to the journal: %w", err)
		}
		err = r.Journal.Append(r.Inbox.BeginAppend(), now, r.records)
	}
	r.blocked.Store(nil)
	r.limits.Resolved(notAccepting, "the journal accepts events again")
	return nil
}

// collectOnce calls collectPending in its first call.
func (r *Receiver) collectOnce() {
	if !r.collected {
		r.collected = true
		r.collectPending(r.journaled)
	}
}

// collectPending collects the batch of a process that ended before it could journal it.
// Run journals the records: until all sinks have opened their readers, an append could
// let retention remove records that a sink needs. The argument journaled is the result of
// Inbox.Settle.
func (r *Receiver) collectPending(journaled bool) {
	if pending := r.batch.Pending(); len(pending) > 0 && !journaled {
		r.collect(r.Now(), pending, false)
		if len(r.records) > 0 {
			return
		}
	}
	r.finish(journaled)
}

// journalPending journals the records of collectPending.
func (r *Receiver) journalPending(ctx context.Context) error {
	if !r.holdsBatch() {
		return nil
	}
	r.Log.Info("journaling events that the previous process received but did not journal", "events", r.events)
	r.busySince.Store(int64(time.Since(r.createdAt)))
	defer r.busySince.Store(0)
	if err := r.append(ctx, r.Now()); err != nil {
		return err
	}
	r.finish(true)
	return nil
}

// holdsBatch reports whether the inbox contains a batch that is not journaled.
func (r *Receiver) holdsBatch() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holding
}

// finish prepares the inbox for the next batch. It clears the batch first: the inbox
// must never contain an old batch with a newer generation. A batch without a record was not
// journaled, and its generation is used again.
func (r *Receiver) finish(journaled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.countReceived(uint64(r.events))
	r.events = 0
	r.batch.Clear()
	if journaled {
		r.Inbox.Advance()
	}
	r.holding = false
	r.saveIfIdle()
}

// countReceived counts n journaled events. The caller holds mu.
func (r *Receiver) countReceived(n uint64) {
	r.received.Add(n)
	if r.numbered {
		r.total.Add(float64(n))
		return
	}
	for i := range r.groups {
		r.groups[i].publish()
	}
}

// Blocked returns why the journal does not accept events, or nil if it does.
func (r *Receiver) Blocked() error {
	if err := r.blocked.Load(); err != nil {
		return *err
	}
	return nil
}

// Stuck returns how long the receiver has been processing the current batch or checking its
// socket.
func (r *Receiver) Stuck() time.Duration {
	checking := max(0, r.watching.Age()-watchInterval)
	since := r.busySince.Load()
	if since == 0 {
		return checking
	}
	return max(checking, time.Since(r.createdAt)-time.Duration(since))
}
