// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/metrics"
)

// A source is a part of the worker that can fail and recover.
type source struct {
	reason string // one of metrics.FaultReasons
	part   string // where several parts have the same reason
	lane   int    // of attempts
}

// The sources beside the attempts of lanes, see attemptsOf.
var (
	journalReads   = source{reason: metrics.FaultJournal}
	cursorWrites   = source{reason: metrics.FaultCursor}
	letterAdds     = source{reason: metrics.FaultDeadLetters, part: "add"}
	letterRemovals = source{reason: metrics.FaultDeadLetters, part: "remove"}
	letterReplays  = source{reason: metrics.FaultDeadLetters, part: "replay"}
	refusals       = source{reason: metrics.FaultRefused}
	decoding       = source{reason: metrics.FaultDecode}
	progress       = source{reason: metrics.FaultStalled}
)

// attemptsOf is the source of one lane's attempts.
func attemptsOf(lane int) source { return source{reason: metrics.FaultAttempt, lane: lane} }

// A fault is what is wrong with a source at present.
type fault struct {
	message string // of the log line
	err     error
	logged  bool
}

// health holds the faults of one sink. Each error path of the worker sets the fault of
// its source, and progress of that source clears it: see the table in the package
// documentation. It is safe for concurrent use.
type health struct {
	log    *slog.Logger
	limits *ratelog.Logger

	mu      sync.Mutex
	faults  map[source]fault
	refused streak
	decoded streak
	stall   stall
}

func newHealth(log *slog.Logger, limits *ratelog.Logger) *health {
	return &health{log: log, limits: limits, faults: make(map[source]fault)}
}

// set notes the fault of a source, in place of an earlier one, and logs it.
func (h *health) set(s source, message string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.setLocked(s, message, err)
}

func (h *health) setLocked(s source, message string, err error) {
	shown := h.limits.Error(message, "error", err)
	h.faults[s] = fault{message, err, shown || h.faults[s].logged}
}

// clear notes that the source works again. The log tells it if it has told the fault;
// then it tells the next one at once, too.
func (h *health) clear(s source) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clearLocked(s)
}

func (h *health) clearLocked(s source) {
	f, failed := h.faults[s]
	if !failed {
		return
	}
	delete(h.faults, s)
	if f.logged {
		h.log.Info("delivery works again", "fault", s.reason)
		h.limits.Forget(f.message)
	}
}

// failing reports whether the source has a fault.
func (h *health) failing(s source) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, failing := h.faults[s]
	return failing
}

// replaced forgets what is known of sinks that are no longer used. Lanes from n on
// do not exist any more.
func (h *health) replaced(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused = streak{}
	delete(h.faults, refusals)
	for s := range h.faults {
		if s.lane >= n {
			delete(h.faults, s)
		}
	}
}

// report adds the faults to the sink's state.
func (h *health) report(state *metrics.SinkState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s, f := range h.faults {
		state.AddFault(s.reason, f.err)
	}
}

// badStreak is how many events in a row must end badly before the sink is unhealthy,
// when others have ended well before: one refused event among many is not its fault.
const badStreak = 5

// A streak counts the events that have ended badly since one ended well.
type streak struct {
	bad  uint64
	good bool // an event has ended well
	last error
}

// add notes the outcome of some events: whether any has ended well, and how many have
// ended badly after the last of those.
func (s *streak) add(good bool, bad uint64) {
	if good {
		s.good, s.bad = true, 0
	}
	s.bad += bad
}

// unhealthy reports whether everything recent has ended badly.
func (s *streak) unhealthy() bool { return s.bad >= badStreak || s.bad > 0 && !s.good }

// refuse notes why an event is refused for good, before its outcome is.
func (h *health) refuse(cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused.last = cause
}

// delivered notes whether the sink has taken any of some events, and how many it has
// refused for good after the last of those.
func (h *health) delivered(taken bool, refused uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused.add(taken, refused)
	if !h.refused.unhealthy() {
		h.clearLocked(refusals)
	} else if refused > 0 {
		err := fmt.Errorf("every recent event was refused for good, %d in a row: %w", h.refused.bad, h.refused.last)
		h.setLocked(refusals, "every recent event was refused for good; see genltestctl dlq list", err)
	}
}

// decodes notes whether any of some records was decoded, and how many were not after
// the last of those.
func (h *health) decodes(good bool, bad uint64, last error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.decoded.add(good, bad); !h.decoded.unhealthy() {
		h.clearLocked(decoding)
	} else if bad > 0 {
		err := fmt.Errorf("no recent event can be decoded, %d in a row: %w", h.decoded.bad, last)
		h.setLocked(decoding, "cannot decode events; they are delivered with what is known of them", err)
	}
}

// stallGrace is added to the time that one attempt, and the wait for a batch, may take.
const stallGrace = time.Minute

// A stall is what is known of a worker that does not get on.
type stall struct {
	moves uint64    // of the account, at the last look
	since time.Time // of the first look that found as many
}

// look notices a worker that does not get on, from one call to the next. moves counts what
// it has done; there are as many events for it to deliver as left says.
func (h *health) look(moves, left uint64, limit time.Duration) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	_, stalled := h.faults[progress]
	others := len(h.faults) > 1 || len(h.faults) == 1 && !stalled
	if moves != h.stall.moves || left == 0 || others || h.stall.since.IsZero() {
		h.stall = stall{moves, now}
		h.clearLocked(progress)
	} else if still := now.Sub(h.stall.since); still >= limit {
		err := fmt.Errorf("nothing has moved for %s while %d events wait", still.Round(time.Second), left)
		h.setLocked(progress, "the sink has stalled", err)
	}
}
