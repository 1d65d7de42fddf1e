// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"fmt"
	"slices"
	"time"

	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/sink"
)

// togetherFor is how long a dead letter may wait for others of its batch: making one
// durable takes as long as making many.
const togetherFor = 100 * time.Millisecond

// The letters of a batch are those of its items that are decided to be dead letters
// and not counted as such, because they are not on the disk yet. Until they are, the
// items behind them are not counted either, and the cursor passes none of them.
type letters struct {
	waiting []deadletter.Letter
	alone   bool // none may wait for others: the last could not be kept
	owed    bool // the disk must have what is decided before anything else: the sink has taken what is behind
}

// refused makes a letter of the next item of b.
func (l *lane) refused(b *batch, cause error) {
	at := b.decided
	i, id := &b.items[at], b.id(at)
	l.health.refuse(cause)
	if i.summary {
		l.limits.Error("the sink refuses the news of suppressed events for good", "id", b.events[at].ID(), "error", cause)
		return
	}
	why := sink.RefusalOf(cause)
	b.letters.waiting = append(b.letters.waiting, deadletter.Letter{
		ID: id, Received: i.record.Time, Data: i.record.Data,
		Reason: cause.Error(), Kind: string(why.Kind), Status: why.Status, Refused: l.Clock.Now(), Attempts: i.attempts,
	})
}

// mayWait reports whether another attempt may be made before the letters are put on the
// disk. With another attempt a sink takes what it has taken before for counted, so
// only a row of refusals may wait.
func (l *lane) mayWait(b *batch) bool {
	w := b.letters.waiting
	return len(w) > 0 && !b.letters.alone && b.decided < len(b.items) && !slices.ContainsFunc(b.uncounted(), item.taken) &&
		time.Since(w[0].Refused) < togetherFor && !time.Now().Before(l.next)
}

// settle counts what is decided of b, after the letters were put on the disk, and
// reports whether that is all of it: then b is no longer the lane's.
func (l *lane) settle(b *batch) (over bool) {
	if err := l.bury(&b.letters); err != nil {
		l.postpone(letterAdds, "cannot keep an event that was refused for good; will try again until it succeeds", err)
		if owe(b); b.letters.owed {
			return false
		}
	} else if b.decided > b.done {
		l.health.clear(letterAdds)
	}
	if err := l.forget(b); err != nil {
		// They are still marked: without this they would be delivered again at once.
		b.letters.owed = true
		l.postpone(letterRemovals, "cannot remove dead letters that were delivered after all; nothing else is delivered until that succeeds", err)
		return false
	}
	b.letters.owed = false
	return l.account.done(b)
}

// bury puts the letters on the disk.
func (l *lane) bury(letters *letters) error {
	w := letters.waiting
	if len(w) == 0 {
		return nil
	}
	err := l.Letters.Add(w...)
	letters.alone, letters.owed = err != nil, false
	if err != nil {
		return fmt.Errorf("keep events that were refused for good: %w", err)
	}
	l.limits.Warn("events refused for good are with the dead letters: genltestctl dlq list",
		"events", len(w), "id", w[0].ID.String(), "error", w[0].Reason)
	letters.drop()
	l.succeeded()
	return nil
}

// owe is for letters that cannot be kept: their events are tried again, as if they
// had not been refused. But when the sink has taken what is behind them, it would get
// that twice: then the letters are owed.
func owe(b *batch) {
	uncounted := b.uncounted()
	first := slices.IndexFunc(uncounted, func(i item) bool { return i.fate == deadLettered })
	if b.letters.owed = slices.ContainsFunc(uncounted[first:], item.taken); !b.letters.owed {
		b.letters.drop()
		b.decided = b.done + first
	}
}

// drop forgets the letters, and what they point to.
func (l *letters) drop() {
	clear(l.waiting)
	l.waiting = l.waiting[:0]
}

// forget removes dead letters that were taken after all.
func (l *lane) forget(b *batch) error {
	if !b.replay {
		return nil
	}
	var ids []deadletter.ID
	for i := b.done; i < b.decided; i++ {
		if b.items[i].taken() {
			ids = append(ids, b.id(i))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := l.Letters.Remove(ids...)
	if err == nil {
		l.health.clear(letterRemovals)
	}
	return err
}
