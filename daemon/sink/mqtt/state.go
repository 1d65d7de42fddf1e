// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"context"
	"errors"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/genltestd/genltestd/daemon/event"
)

// repliesSoFar returns the number of acknowledgements.
func (l *link) repliesSoFar() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.replies
}

// stalled reports whether messages are in flight, and the number of acknowledgements has not
// changed.
func (l *link) stalled(before uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err == nil && len(l.flight) > 0 && l.replies == before
}

func (l *link) hasEnded() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// drainWait limits the time for which a link that is replaced waits for acknowledgements.
const drainWait = 5 * time.Second

// drain waits until no message is in flight.
func (l *link) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainWait)
	defer cancel()
	for l.inFlight() > 0 {
		select {
		case <-l.idle:
		case <-l.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (l *link) inFlight() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.flight)
}

var errClosed = errors.New("the sink has closed the connection")

// farewellWait limits the time for DISCONNECT.
const farewellWait = time.Second

// farewell writes the packets that wait, and DISCONNECT.
func (l *link) farewell() {
	limit := time.AfterFunc(farewellWait, func() { l.end(errClosed) }) // a deadline would be extended by read
	defer limit.Stop()
	l.mu.Lock()
	_, _ = (&packets.Disconnect{Properties: &packets.Properties{}}).WriteTo(l.out) // a buffer does not fail
	l.leaving = true
	l.mu.Unlock()
	notify(l.wake)
	<-l.done
}

// unfinished returns the numbers of the messages in flight of a link that has ended.
func (l *link) unfinished() map[event.Key]uint16 {
	numbers := make(map[event.Key]uint16, len(l.flight))
	for n, m := range l.flight {
		numbers[m.key] = n
	}
	return numbers
}

// resume continues a session: messages that were in flight keep their numbers.
func (l *link) resume(numbers map[event.Key]uint16) {
	l.resumed, l.taken = numbers, make(map[uint16]bool, len(numbers))
	for _, n := range numbers {
		l.taken[n] = true
	}
}
