// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"fmt"
	"slices"
	"time"

	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/sink"
)

// maxLetterDelay is the maximum time that a dead letter waits for others of its batch.
// A sync of one letter is as slow as a sync of many.
const maxLetterDelay = 100 * time.Millisecond

// letters are the refused items of a batch whose dead letters are not on disk yet. Until
// they are, the account counts neither these items nor those after them, and the cursor
// does not pass them.
type letters struct {
	waiting []deadletter.Letter
	noDelay bool // the last write failed: write each letter at once
	// unpersisted is set when the sink has accepted events after the refused ones. The
	// letters must be written before any other attempt.
	unpersisted bool
}

// addDeadLetter makes a dead letter from the next item of b, which the sink refused.
func (s *sender) addDeadLetter(b *batch, cause error) {
	at := b.decided
	i, id := &b.items[at], b.id(at)
	s.health.noteRefusal(cause)
	if i.summary {
		s.limits.Error("the sink permanently refused a summary of suppressed events", "id", b.events[at].ID(), "error", cause)
		return
	}
	why := sink.RefusalOf(cause)
	b.letters.waiting = append(b.letters.waiting, deadletter.Letter{
		ID: id, Received: i.record.Time, Data: i.record.Data,
		Reason: cause.Error(), Kind: string(why.Kind), Status: why.Status, Refused: s.Clock.Now(), Attempts: i.attempts,
	})
}

// mayDelayLetters reports whether the sender may make another attempt before it writes the
// letters. A sink treats the events that it accepted in one attempt as counted when it
// receives the next attempt. So only consecutive refusals can be written together.
func (s *sender) mayDelayLetters(b *batch) bool {
	w := b.letters.waiting
	return len(w) > 0 && !b.letters.noDelay && b.decided < len(b.items) && !slices.ContainsFunc(b.uncounted(), item.delivered) &&
		time.Since(w[0].Refused) < maxLetterDelay && !time.Now().Before(s.next)
}

// settle writes the dead letters of b and then counts its outcomes. It reports whether b
// is finished; the sender must not use a finished batch.
func (s *sender) settle(b *batch) (finished bool) {
	s.busy.Mark()
	defer s.busy.Stop()
	if err := s.writeDeadLetters(&b.letters); err != nil {
		s.postpone(letterAdds, "cannot write a permanently refused event to the dead letters; will try again until it succeeds", err)
		if undoRefusals(b); b.letters.unpersisted {
			return false
		}
	} else if b.decided > b.counted {
		s.health.clear(letterAdds)
	}
	if err := s.removeReplayed(b); err != nil {
		// The letters are still marked for replay. Without this flag they would be
		// delivered again at once.
		b.letters.unpersisted = true
		s.postpone(letterRemovals, "cannot remove dead letters whose replay succeeded; delivery stops until they are removed", err)
		return false
	}
	b.letters.unpersisted = false
	replay := b.replay
	finished = s.account.settle(b)
	if finished && replay || s.health.failing(cursorWrites) {
		s.Reader.Interrupt() // feed looks for more letters, and writes the cursor again
	}
	return finished
}

// writeDeadLetters writes the waiting letters to disk.
func (s *sender) writeDeadLetters(letters *letters) error {
	w := letters.waiting
	if len(w) == 0 {
		return nil
	}
	err := s.Letters.Add(w...)
	letters.noDelay, letters.unpersisted = err != nil, false
	if err != nil {
		return fmt.Errorf("write permanently refused events: %w", err)
	}
	s.limits.Warn("permanently refused events were written to the dead letters; list them with: genltestctl dlq list",
		"events", len(w), "id", w[0].ID.String(), "error", w[0].Reason)
	letters.clear()
	s.succeeded()
	return nil
}

// undoRefusals handles letters that could not be written. Their events become undecided
// again, and the next attempt contains them. If the sink has accepted events after them,
// another attempt would deliver those twice; then only the write is retried.
func undoRefusals(b *batch) {
	uncounted := b.uncounted()
	first := slices.IndexFunc(uncounted, func(i item) bool { return i.outcome == deadLettered })
	if b.letters.unpersisted = slices.ContainsFunc(uncounted[first:], item.delivered); !b.letters.unpersisted {
		b.letters.clear()
		b.decided = b.counted + first
	}
}

// clear removes the letters and releases the memory that they reference.
func (l *letters) clear() {
	clear(l.waiting)
	l.waiting = l.waiting[:0]
}

// removeReplayed removes the dead letters whose replay the sink has accepted.
func (s *sender) removeReplayed(b *batch) error {
	if !b.replay {
		return nil
	}
	var ids []deadletter.ID
	for i := b.counted; i < b.decided; i++ {
		if b.items[i].delivered() {
			ids = append(ids, b.id(i))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := s.Letters.Remove(ids...)
	if err == nil {
		s.health.clear(letterRemovals)
	}
	return err
}
