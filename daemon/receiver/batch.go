// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"fmt"
	"time"

	"github.com/genltestd/genltestd/daemon/genl"
)

// handle takes one batch into the journal. It is the hot path: it allocates
// nothing per message and waits for nothing but the journal. A batch of nothing
// is for what the ledger has to do without a message.
func (r *Receiver) handle(ctx context.Context, messages []genl.Message) error {
	now := r.Now()
	r.busySince.Store(int64(time.Since(r.createdAt)))
	defer r.busySince.Store(0)
	r.collect(now, messages, ctx.Err() != nil)
	if len(r.records) > 0 {
		if err := r.append(ctx, now); err != nil {
			return err
		}
	}
	r.appended()
	return nil
}

// take turns a batch into records, and the ledger into what it is when they are
// journaled. atOnce says that there is no later time to tell of a loss.
func (r *Receiver) collect(now time.Time, messages []genl.Message, atOnce bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holding = true
	r.records, r.gaps = r.records[:0], 0
	if len(messages) == 0 {
		r.noteEmptyQueue(now)
	}
	r.appendGap(now, atOnce)
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
	if r.groupsChanged && r.Family() == 0 {
		r.joinAheadAgain()
	}
	if r.Subscribed() {
		r.publishAbsence()
	}
	if len(r.records) > 0 {
		r.saveSnapshot(r.Inbox.Generation() + 1)
	}
}

// settle tells the ledger that the queue is empty, if it is: with mu held, so that
// no loss was counted after the look at the queue. A notification that comes in
// between may be in the queue or dropped: then there is another time.
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
		r.limits.Warn("looking at the event socket", "error", err)
		return
	}
	if queued == 0 && after == notifications {
		r.ledger.queueEmpty(notifications)
		r.unsaved = true
	}
}

// handleOther acts on a message that was classified as none. It may turn out to be one.
func (r *Receiver) handleOther(now time.Time, m *genl.Message, verdict genl.Verdict) (genl.Verdict, genl.Number) {
	switch {
	case verdict == genl.Notification:
		r.ledger.NotificationsSeen++
		r.notified(now, m.Data)
		r.unsaved = true
		return verdict, genl.Number{}
	case verdict == genl.Family && r.isOurs(m):
		return genl.Classify(m, r.Family(), r.Sender)
	}
	r.refused[verdict].Inc()
	return verdict, genl.Number{}
}

// missed accounts for events that are missing before the one at hand.
func (r *Receiver) countMissing(now time.Time, missing uint64) {
	if err := r.countDrops(now); err != nil {
		r.limits.Warn("counting lost events", "error", err)
	}
	r.lost[kernelBuffer].Add(float64(r.ledger.confirmMissing(missing, now)))
	shown := r.ledger.alreadyCounted(missing)
	if shown > 0 {
		r.ledger.setRange(kernelBuffer, missing)
	}
	if rest := missing - shown; rest > 0 {
		why := r.ledger.missingReason()
		r.ledger.addLoss(why, rest, now)
		r.ledger.setRange(why, missing)
		r.lost[why].Add(float64(rest))
		r.limits.Warn("events lost", "events", rest, "reason", reasonNames[why])
	}
	r.appendGap(now, false)
}

// tell puts a gap between the records, at most one a second.
func (r *Receiver) appendGap(now time.Time, atOnce bool) {
	if gap, ok := r.ledger.takeGap(now, atOnce); ok {
		r.gap = genl.AppendGap(r.gap[:0], &gap)
		r.records = append(r.records, r.gap)
		r.gaps++
	}
}

// append journals the records, once the journal can take them.
func (r *Receiver) append(ctx context.Context, now time.Time) error {
	err := r.Journal.Append(r.Inbox.Generation(), now, r.records)
	if err == nil {
		return nil
	}
	return r.appendLater(ctx, now, err)
}

// notAccepting is logged while the journal does not accept events.
const notAccepting = "the journal does not accept events; they wait in the socket's buffer"

// appendLater waits for the journal: the batch stays in the inbox, and what comes
// after it in the socket's buffer, where the kernel counts what does not fit.
func (r *Receiver) appendLater(ctx context.Context, now time.Time, err error) error {
	for err != nil {
		r.limits.Error(notAccepting, "error", err)
		why := err // of its own: others read it while err changes
		r.blocked.Store(&why)
		r.busySince.Store(0) // waiting, not stuck
		select {
		case <-time.After(appendRetryInterval):
		case <-ctx.Done():
			return fmt.Errorf("append to the journal: %w", err)
		}
		err = r.Journal.Append(r.Inbox.Generation(), now, r.records)
	}
	r.blocked.Store(nil)
	r.limits.Over(notAccepting, "the journal accepts events again")
	return nil
}

// collectPending makes records of the batch of a process that ended before it could journal
// it. Run journals them: until the sinks have their places in the journal, an append
// could let retention remove what a sink has pinned.
func (r *Receiver) collectPending() {
	left := r.batch.Pending()
	if len(left) > 0 && r.Inbox.Generation() > r.Journal.LastGeneration() {
		r.collect(r.Now(), left, false)
		if len(r.records) > 0 {
			return
		}
	}
	r.appended()
}

// journalPending journals what collectPending has found.
func (r *Receiver) journalPending(ctx context.Context) error {
	if !r.holdsBatch() {
		return nil
	}
	r.Log.Info("journaling events that the last process had received and not journaled", "events", r.events)
	if err := r.append(ctx, r.Now()); err != nil {
		return err
	}
	r.appended()
	return nil
}

// holds reports whether the inbox holds a batch that is not journaled.
func (r *Receiver) holdsBatch() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holding
}

// appended makes the inbox ready for the next batch. The batch goes first: a
// newer generation must never stand over an old batch.
func (r *Receiver) appended() {
	r.countReceived(uint64(r.events))
	r.events = 0
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batch.Clear()
	r.Inbox.SetGeneration(r.Journal.LastGeneration() + 1)
	r.holding = false
	r.saveIfIdle()
}

// countReceived counts events that are in the journal.
func (r *Receiver) countReceived(n uint64) {
	r.Metrics.Received.Add(float64(n))
	r.received.Add(n)
}

// Blocked returns why the journal does not accept events, nil while it does.
func (r *Receiver) Blocked() error {
	if err := r.blocked.Load(); err != nil {
		return *err
	}
	return nil
}

// Stuck returns for how long the receiver has been busy with one batch.
func (r *Receiver) Stuck() time.Duration {
	since := r.busySince.Load()
	if since == 0 {
		return 0
	}
	return time.Since(r.createdAt) - time.Duration(since)
}
