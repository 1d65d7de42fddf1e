// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"encoding/binary"
	"time"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/metrics"
)

// A ledger is the account of what the kernel has multicast since it was booted:
// each event is received, or lost for one reason. It lies in the inbox as a memo,
// so that it outlives the process as the batch does, and as long as the module's
// numbers do.
//
// Losses show twice. The socket's counter tells at once how many messages did not
// fit into its buffer. The numbers of the events tell how many are missing, but
// only when the next one arrives. UnnumberedDrops is what the counter has told and the
// numbers have not shown yet; what they show beyond it was not lost in the buffer.
//
// Not all that the socket drops are events: it is a member of nlctrl's "notify" too.
// How many notifications there were is known, and how many were received. The rest
// waits in the queue or was dropped: as many drops are counted as unsure, until the
// queue is empty.
type ledger struct {
	Received uint64
	Lost     [reasons]uint64

	LoadID, Seq     uint64 // of the newest event that has a number
	UnnumberedDrops uint64 // dropped by the socket; the gap in the numbers is to come
	PriorLoadDrops  uint64 // of these, what no later load's numbers can show
	Interruption    uint64 // an interruption

	Socket            uint64 // cookie of the event socket
	Drops             uint64 // its counter when it was last read
	NotificationsSeen uint64 // its counter of notifications, as far as they are received or known to be dropped
	UnclassifiedDrops uint64 // dropped, and not counted as lost: events, or notifications that are not heard
	Family            uint64 // the id of which messages are accepted from here on

	CoveredUntil uint64 // until when nothing was multicast that no socket was there for, ns since 1970
	LastGap      uint64 // when the last gap was put into the journal, ns since 1970
	PendingGaps  [reasons]loss
}

// A reason says why an event was lost.
type reason int

const (
	kernelBuffer reason = iota
	notSubscribed
	unexplained
	reasons
)

var reasonNames = [reasons]string{metrics.LostKernelBuffer, metrics.LostNotSubscribed, metrics.LostUnexplained}

// An interruption says where the subscription was interrupted: events that are missing
// there are no surprise.
type interruption = uint64

const (
	uninterrupted  interruption = iota
	beforeNext                  // directly before the next event
	behindQueue                 // behind what is still queued
	beforeReceived              // before the next event, which may not be the first since that found no room
)

// A loss is a gap that is not in the journal yet.
type loss struct {
	Count               uint64
	LoadID, First, Last uint64
	From, To            uint64 // ns since 1970
}

// gapInterval is the least time between two gaps in the journal.
const gapInterval = time.Second

// next takes note of the number of an event that was received, and returns how
// many are missing before it.
func (l *ledger) next(n genl.Number) (missing uint64) {
	if n.LoadID != l.LoadID && n.Seq != 0 {
		l.LoadID, l.Seq = n.LoadID, 0
		l.UnnumberedDrops -= l.PriorLoadDrops
		l.PriorLoadDrops = 0
	}
	if n.Seq <= l.Seq { // the module gives no numbers, for one
		return 0
	}
	missing = n.Seq - l.Seq - 1
	l.Seq = n.Seq
	return missing
}

// shown returns how many of the missing events have been counted already.
func (l *ledger) alreadyCounted(missing uint64) uint64 {
	n := min(missing, l.UnnumberedDrops)
	if l.Interruption == beforeNext {
		n = min(missing, l.PriorLoadDrops) // what was dropped since then is behind this event
	}
	l.UnnumberedDrops -= n
	l.PriorLoadDrops -= min(n, l.PriorLoadDrops)
	return n
}

// prove returns how many of the drops that were unsure were events, as more are
// missing than were counted. It comes before shown.
func (l *ledger) confirmMissing(missing uint64, now time.Time) uint64 {
	if l.Interruption == beforeNext || missing <= l.UnnumberedDrops {
		return 0
	}
	return l.confirm(min(missing-l.UnnumberedDrops, l.UnclassifiedDrops), now)
}

// missingFor returns the reason for events that the socket's counter does not
// explain.
func (l *ledger) missingReason() reason {
	if l.Interruption == uninterrupted {
		return unexplained
	}
	return notSubscribed
}

// dropped takes note of messages that the socket had no room for, and returns how
// many events are lost for sure, of these and of earlier ones. unseen is how many
// notifications wait in the queue or were dropped.
func (l *ledger) addDrops(n, unseen uint64, now time.Time) (events uint64) {
	l.UnclassifiedDrops += n
	return l.confirm(l.UnclassifiedDrops-min(l.UnclassifiedDrops, unseen), now)
}

// sure says that n of the messages that were dropped were events.
func (l *ledger) confirm(n uint64, now time.Time) uint64 {
	if n > 0 {
		l.UnclassifiedDrops -= n
		l.UnnumberedDrops += n
		l.addLoss(kernelBuffer, n, now)
	}
	return n
}

// unseenNotifications returns how many notifications wait in the queue or were dropped, when
// the socket's counter of them is at count. Below 0 the counter is another.
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

// number says which events an untold loss is about.
func (l *ledger) setRange(why reason, missing uint64) {
	u := &l.PendingGaps[why]
	switch {
	case u.Count == 0: // told already
	case u.First == 0:
		u.LoadID, u.First, u.Last = l.LoadID, l.Seq-missing, l.Seq-1
	case u.LoadID == l.LoadID:
		u.Last = l.Seq - 1
	default: // two loads cannot be told by one pair of numbers
		u.LoadID, u.First, u.Last = 0, 0, 0
	}
}

// settled says that the queue is empty: what was dropped cannot show in the
// numbers of a load that is yet to come, and notifications that were not heard were
// dropped.
func (l *ledger) queueEmpty(notifications uint32) {
	l.NotificationsSeen, l.UnclassifiedDrops = uint64(notifications), 0
	switch {
	case l.Interruption != behindQueue && l.Interruption != beforeReceived:
		l.PriorLoadDrops = l.UnnumberedDrops
	case l.PriorLoadDrops == l.UnnumberedDrops:
		l.Interruption = beforeNext
	default: // what was dropped since the interruption may be before the next event too
		l.Interruption = beforeReceived
	}
}

func (l *ledger) needsEmptyQueue() bool {
	return l.Interruption == behindQueue || l.UnclassifiedDrops > 0 || (l.PriorLoadDrops == l.UnnumberedDrops) == (l.Interruption == beforeReceived)
}

// tell returns a gap that is to be put into the journal now.
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

// watched says that until now nothing could be multicast that no socket was there
// for: the daemon was subscribed, or the family away.
func (l *ledger) setCovered(now time.Time) { l.CoveredUntil = ns(now) }

// blind returns for how long, until now, something could be. It compares two ages, which
// no step of the clock changes.
func (r *Receiver) blind(now time.Time) time.Duration {
	if r.ledger.CoveredUntil == 0 {
		return 0 // this is the first that we know of this boot
	}
	return max(0, r.Age(at(r.ledger.CoveredUntil))-r.Age(now))
}

func ns(t time.Time) uint64  { return uint64(t.UnixNano()) }
func at(ns uint64) time.Time { return time.Unix(0, int64(ns)) }

// numbers lists the numbers, always in the same order.
func (l *ledger) numbers() []*uint64 {
	list := []*uint64{
		&l.Received, &l.LoadID, &l.Seq, &l.UnnumberedDrops, &l.PriorLoadDrops, &l.Interruption, &l.Socket, &l.Drops, &l.NotificationsSeen, &l.UnclassifiedDrops, &l.Family, &l.CoveredUntil, &l.LastGap,
	}
	for why := range reasons {
		u := &l.PendingGaps[why]
		list = append(list, &l.Lost[why], &u.Count, &u.LoadID, &u.First, &u.Last, &u.From, &u.To)
	}
	return list
}

// encode writes numbers into b, which has room for them, as decode reads them on
// the same machine.
func encode(b []byte, numbers []*uint64) []byte {
	for i, p := range numbers {
		binary.NativeEndian.PutUint64(b[8*i:], *p)
	}
	return b
}

func decode(b []byte, numbers []*uint64) bool {
	if len(b) != 8*len(numbers) {
		return false // another version's
	}
	for i, p := range numbers {
		*p = binary.NativeEndian.Uint64(b[8*i:])
	}
	return true
}
