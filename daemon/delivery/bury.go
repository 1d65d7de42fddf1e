// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"fmt"
	"time"

	"github.com/genltestd/genltestd/daemon/deadletter"
)

// togetherFor is how long a dead letter may wait for others of its batch: making one
// durable takes as long as making many.
const togetherFor = 100 * time.Millisecond

// The letters of a batch are those of its items that are decided to be dead letters
// and not counted as such, because they are not on the disk yet. Until they are, the
// items behind them are not counted either: what is on the disk tells of everything
// before the cursor.
type letters struct {
	waiting []deadletter.Letter
	alone   bool // none may wait: the last ones could not be kept
}

// refused makes a letter of the next item of b.
func (l *lane) refused(b *batch, cause error) {
	at := b.decided
	i, id := &b.items[at], b.id(at)
	if i.summary {
		l.Log.Error("the sink refuses the news of suppressed events for good", "id", b.events[at].ID(), "error", cause)
		return
	}
	l.letters.waiting = append(l.letters.waiting, deadletter.Letter{
		ID: id, Received: i.record.Time, Data: i.record.Data,
		Reason: cause.Error(), Refused: time.Now(), Attempts: i.attempts,
	})
}

// mayWait reports whether another attempt can be made before the letters are put on
// the disk.
func (l *lane) mayWait(b *batch) bool {
	w := l.letters.waiting
	return len(w) > 0 && !l.letters.alone && b.decided < len(b.items) &&
		time.Since(w[0].Refused) < togetherFor && !time.Now().Before(l.next)
}

// settle counts what is decided of b, after the letters were put on the disk, and
// reports whether that is all of it: then b is no longer the lane's. When they cannot
// be put there, all from the first of them on is tried again: what the sink has taken
// behind it, it gets twice.
func (l *lane) settle(b *batch) (over bool) {
	waiting := l.letters.waiting
	l.letters.waiting = waiting[:0]
	if err := l.bury(waiting); err != nil {
		b.keepBefore(deadLettered)
		l.failed(err, false)
	}
	if b.replay {
		l.forget(b)
	}
	return l.account.done(b)
}

// bury puts letters on the disk.
func (l *lane) bury(letters []deadletter.Letter) error {
	if len(letters) == 0 {
		return nil
	}
	defer clear(letters) // of what they point to
	err := l.Letters.Add(letters...)
	if l.letters.alone = err != nil; err != nil {
		return fmt.Errorf("keep an event that was refused for good: %w", err)
	}
	l.limits.warn("events refused for good are with the dead letters: genltestctl dlq list",
		"events", len(letters), "id", letters[0].ID, "error", letters[0].Reason)
	l.succeeded()
	return nil
}

// forget removes dead letters that were taken after all.
func (l *lane) forget(b *batch) {
	var ids []deadletter.ID
	for i := b.done; i < b.decided; i++ {
		if b.items[i].fate == taken {
			ids = append(ids, b.id(i))
		}
	}
	if len(ids) == 0 {
		return
	}
	if _, err := l.Letters.Remove(ids...); err != nil {
		l.Log.Error("cannot remove dead letters that were taken; another replay would deliver them again", "error", err)
	}
}
