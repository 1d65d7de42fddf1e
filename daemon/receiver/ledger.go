// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"time"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/metrics"
)

// A ledger accounts for the events that the kernel has multicast since it was booted:
// each event is received, or lost for one reason. The inbox contains a snapshot of it,
// which survives the process, like the batch, for as long as the module's numbers.
//
// A loss becomes known in two ways. The socket's counter shows at once how many messages
// did not fit into the buffer. The numbers of the events show how many are missing, but
// only when the next event arrives. UnnumberedDrops are the drops that the counter has
// shown and the numbers have not. Missing events beyond these were not lost in the
// buffer.
//
// Not all drops are events, because the socket is also a member of nlctrl's "notify".
// The number of notifications is known, and how many of them were received. The others
// are queued or were dropped. The same number of drops stays unclassified until the
// queue is empty.
type ledger struct {
	Received uint64
	Lost     [reasons]uint64

	LoadID, Seq     uint64 // of the newest event that has a number
	UnnumberedDrops uint64 // dropped by the socket, and not yet missing in the numbers
	PriorLoadDrops  uint64 // those that cannot appear in the numbers of a later load
	Interruption    uint64 // where the subscription was interrupted

	Socket            uint64 // cookie of the event socket
	Drops             uint64 // the socket's counter when it was last read
	NotificationsSeen uint64 // notifications that were received or are known to be dropped
	UnclassifiedDrops uint64 // drops that are events or unseen notifications; not counted as lost
	Family            uint64 // the id of accepted messages

	CoveredUntil uint64 // no event was missed for lack of a subscription until then, ns since 1970
	LastGap      uint64 // when the last gap was journaled, ns since 1970
	PendingGaps  [reasons]loss
}

// A reason is the cause of a loss.
type reason int

const (
	kernelBuffer reason = iota
	notSubscribed
	unexplained
	reasons
)

var reasonNames = [reasons]string{metrics.LostKernelBuffer, metrics.LostNotSubscribed, metrics.LostUnexplained}

// An interruption is the position of a break in the subscription. Events that are
// missing at this position were multicast without a subscription.
type interruption = uint64

const (
	uninterrupted  interruption = iota
	beforeNext                  // directly before the next event in the queue
	behindQueue                 // after the messages that are still queued
	beforeReceived              // before the next received event; events between them may have been dropped
)

// A loss is a gap that is not journaled yet.
type loss struct {
	Count               uint64
	LoadID, First, Last uint64
	From, To            uint64 // ns since 1970
}

// gapInterval is the minimum time between two gaps in the journal.
const gapInterval = time.Second

// next records the number of a received event, and returns how many are missing before
// it.
func (l *ledger) next(n genl.Number) (missing uint64) {
	if n.LoadID != l.LoadID && n.Seq != 0 {
		l.LoadID, l.Seq = n.LoadID, 0
		l.UnnumberedDrops -= l.PriorLoadDrops
		l.PriorLoadDrops = 0
	}
	if n.Seq <= l.Seq { // for example, the module does not number events
		return 0
	}
	missing = n.Seq - l.Seq - 1
	l.Seq = n.Seq
	return missing
}

// resume records that an event was received: the next one follows it directly.
func (l *ledger) resume() {
	if at := l.Interruption; at == beforeNext || at == beforeReceived {
		l.Interruption = uninterrupted
	}
}

// alreadyCounted returns how many of the missing events are counted as drops.
func (l *ledger) alreadyCounted(missing uint64) uint64 {
	n := min(missing, l.UnnumberedDrops)
	if l.Interruption == beforeNext {
		n = min(missing, l.PriorLoadDrops) // later drops follow this event
	}
	l.UnnumberedDrops -= n
	l.PriorLoadDrops -= min(n, l.PriorLoadDrops)
	return n
}

// confirmMissing returns how many unclassified drops were events, because more events
// are missing than were counted. It must be called before alreadyCounted.
func (l *ledger) confirmMissing(missing uint64, now time.Time) uint64 {
	if l.Interruption == beforeNext || missing <= l.UnnumberedDrops {
		return 0
	}
	return l.confirm(min(missing-l.UnnumberedDrops, l.UnclassifiedDrops), now)
}

// missingReason returns the reason for missing events that the socket's counter does
// not explain.
func (l *ledger) missingReason() reason {
	if l.Interruption == uninterrupted {
		return unexplained
	}
	return notSubscribed
}

// addDrops records n dropped messages, and returns how many events are certainly lost,
// including earlier drops. The argument unseen is the number of notifications that are
// queued or were dropped.
func (l *ledger) addDrops(n, unseen uint64, now time.Time) (events uint64) {
	l.UnclassifiedDrops += n
	return l.confirm(l.UnclassifiedDrops-min(l.UnclassifiedDrops, unseen), now)
}

// confirm counts n of the dropped messages as events.
func (l *ledger) confirm(n uint64, now time.Time) uint64 {
	if n > 0 {
		l.UnclassifiedDrops -= n
		l.UnnumberedDrops += n
		l.addLoss(kernelBuffer, n, now)
	}
	return n
}

// unseenNotifications returns how many notifications are queued or were dropped, for
// the present count of the meter. A negative difference means that the meter is new.
func (l *ledger) unseenNotifications(count uint32) uint64 {
	return uint64(max(0, int32(count-uint32(l.NotificationsSeen))))
}

func (l *ledger) addLoss(why reason, n uint64, now time.Time) {
	l.Lost[why] += n
	u := &l.PendingGaps[why]
	if u.Count == 0 {
		*u = loss{From: ns(now)}
	}
	u.Count += n
	u.To = ns(now)
}

// setRange records which events a pending gap is about.
func (l *ledger) setRange(why reason, missing uint64) {
	u := &l.PendingGaps[why]
	switch {
	case u.Count == 0: // already journaled
	case u.First == 0:
		u.LoadID, u.First, u.Last = l.LoadID, l.Seq-missing, l.Seq-1
	case u.LoadID == l.LoadID:
		u.Last = l.Seq - 1
	default: // one pair of numbers cannot describe two loads
		u.LoadID, u.First, u.Last = 0, 0, 0
	}
}

// queueEmpty records that the queue is empty. Earlier drops then cannot appear in the
// numbers of a later load, and notifications that were not received were dropped.
func (l *ledger) queueEmpty(notifications uint32) {
	l.NotificationsSeen, l.UnclassifiedDrops = uint64(notifications), 0
	switch {
	case l.Interruption != behindQueue && l.Interruption != beforeReceived:
		l.PriorLoadDrops = l.UnnumberedDrops
	case l.PriorLoadDrops == l.UnnumberedDrops:
		l.Interruption = beforeNext
	default: // drops since the interruption may also precede the next event
		l.Interruption = beforeReceived
	}
}

func (l *ledger) needsEmptyQueue() bool {
	return l.Interruption == behindQueue || l.UnclassifiedDrops > 0 ||
		(l.PriorLoadDrops == l.UnnumberedDrops) == (l.Interruption == beforeReceived)
}

// takeGap returns a gap that must be journaled now.
func (l *ledger) takeGap(now time.Time, atOnce bool) (gap genl.Gap, ok bool) {
	for why := range l.PendingGaps {
		u := &l.PendingGaps[why]
		if u.Count == 0 {
			continue
		}
		if !atOnce && now.Sub(at(l.LastGap)).Abs() < gapInterval {
			break
		}
		gap = genl.Gap{
			Count: u.Count, Reason: reasonNames[why], From: at(u.From), To: at(u.To),
			LoadID: u.LoadID, First: u.First, Last: u.Last,
		}
		*u = loss{}
		l.LastGap = ns(now)
		return gap, true
	}
	return genl.Gap{}, false
}

func (l *ledger) hasPendingGaps() bool {
	for why := range l.PendingGaps {
		if l.PendingGaps[why].Count > 0 {
			return true
		}
	}
	return false
}

// setCovered records that until now no event could be missed for lack of a
// subscription: the daemon was subscribed, or the family was absent.
func (l *ledger) setCovered(now time.Time) { l.CoveredUntil = ns(now) }

// blind returns how long, until now, events could be missed. It compares two ages,
// which a clock step does not change.
func (r *Receiver) blind(now time.Time) time.Duration {
	if r.ledger.CoveredUntil == 0 {
		return 0 // the first record of this boot
	}
	return max(0, r.Age(at(r.ledger.CoveredUntil))-r.Age(now))
}

func ns(t time.Time) uint64  { return uint64(t.UnixNano()) }
func at(ns uint64) time.Time { return time.Unix(0, int64(ns)) }

// numbers returns pointers to all numbers, always in the same order.
func (l *ledger) numbers() []*uint64 {
	list := []*uint64{
		&l.Received, &l.LoadID, &l.Seq, &l.UnnumberedDrops, &l.PriorLoadDrops, &l.Interruption, &l.Socket, &l.Drops,
		&l.NotificationsSeen, &l.UnclassifiedDrops, &l.Family, &l.CoveredUntil, &l.LastGap,
	}
	for why := range reasons {
		u := &l.PendingGaps[why]
		list = append(list, &l.Lost[why], &u.Count, &u.LoadID, &u.First, &u.Last, &u.From, &u.To)
	}
	return list
}
