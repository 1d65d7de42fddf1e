// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/metrics"
)

// A source is a part of the worker that can fail and recover.
type source struct {
	reason string // one of metrics.FaultReasons
	part   string // distinguishes parts with the same reason
	sender int    // number of the sender whose attempts these are
}

// The sources that all senders share. Each sender also has attemptsOf.
var (
	journalReads   = source{reason: metrics.FaultJournal}
	cursorWrites   = source{reason: metrics.FaultCursor}
	letterAdds     = source{reason: metrics.FaultDeadLetters, part: "add"}
	letterRemovals = source{reason: metrics.FaultDeadLetters, part: "remove"}
	letterReplays  = source{reason: metrics.FaultDeadLetters, part: "replay"}
	refusals       = source{reason: metrics.FaultRefused}
	decoding       = source{reason: metrics.FaultDecode}
	movement       = source{reason: metrics.FaultStalled}
)

// attemptsOf returns the source of the attempts of one sender.
func attemptsOf(sender int) source { return source{reason: metrics.FaultAttempt, sender: sender} }

// reasonOf returns the reason of a fault of the source. An attempt has more than one.
func (s source) reasonOf(err error) string {
	switch {
	case s.reason != metrics.FaultAttempt:
		return s.reason
	case sink.Untrusted(err) != nil:
		return metrics.FaultCertificate
	case errors.Is(err, context.DeadlineExceeded):
		return metrics.FaultTimeout
	}
	return s.reason
}

// A fault is the current error of a source.
type fault struct {
	message string // message of its log line
	err     error
	logged  bool
	since   time.Time
	next    time.Time // of the next attempt; zero if unknown
}

// health holds the current faults of one sink. Each error path of the worker sets the fault
// of its source, and a success of that source clears it. The table in the package
// documentation lists them. It is safe for concurrent use.
type health struct {
	log    *slog.Logger
	limits *ratelog.Logger

	mu       sync.Mutex
	faults   map[source]fault
	refusals streak
	decoding streak
	stall    stall
	last     fault // newest fault or refusal, also after it has ended
}

func newHealth(log *slog.Logger, limits *ratelog.Logger) *health {
	return &health{log: log, limits: limits, faults: make(map[source]fault)}
}

// set replaces the fault of a source, and logs it.
func (h *health) set(s source, message string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.setLocked(s, message, err)
}

func (h *health) setLocked(s source, message string, err error) {
	f, now := h.faults[s], time.Now()
	if f.err == nil {
		f.since = now
	}
	f.message, f.err = message, err
	f.logged = h.limits.Error(message, "error", err) || f.logged
	h.faults[s] = f
	h.note(err, now)
}

// note stores an error as the newest one. The caller must hold mu.
func (h *health) note(err error, now time.Time) { h.last = fault{err: err, since: now} }

// setNext stores the time of the attempt that follows the fault of a source.
func (h *health) setNext(s source, next time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f, failed := h.faults[s]; failed {
		f.next = next
		h.faults[s] = f
	}
}

// clear removes the fault of a source. If the fault was logged, its end is logged too, and
// the next fault of the source is logged at once.
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
		h.log.Info("delivery works again", "fault", s.reasonOf(f.err))
		h.limits.Reset(f.message)
	}
}

// failing reports whether the source has a fault.
func (h *health) failing(s source) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, failing := h.faults[s]
	return failing
}

// sinksReplaced removes the faults of sinks that are no longer used. Only the senders
// below n still exist.
func (h *health) sinksReplaced(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refusals = streak{}
	delete(h.faults, refusals)
	for s := range h.faults {
		if s.sender >= n {
			delete(h.faults, s)
		}
	}
}

// report adds the faults to the state of the sink.
func (h *health) report(state *metrics.SinkState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for s, f := range h.faults {
		state.AddFault(metrics.SinkFault{Reason: s.reasonOf(f.err), Err: f.err, Since: f.since})
		if f.next.After(now) && (state.NextAttempt.IsZero() || f.next.Before(state.NextAttempt)) {
			state.NextAttempt = f.next
		}
	}
	state.LastFailure, state.LastFailureAt = h.last.err, h.last.since
}

// badStreak is the number of consecutive bad events that make the sink unhealthy after it
// has processed good ones. One refused event among many is not a fault of the sink.
const badStreak = 5

// A streak counts the bad events since the last good one.
type streak struct {
	bad  uint64
	good bool // there was a good event
	last error
}

// add counts a sequence of events: whether any was good, and how many were bad after the
// last good one.
func (s *streak) add(good bool, bad uint64) {
	if good {
		s.good, s.bad = true, 0
	}
	s.bad += bad
}

// unhealthy reports whether all recent events were bad.
func (s *streak) unhealthy() bool { return s.bad >= badStreak || s.bad > 0 && !s.good }

// noteRefusal stores why an event was permanently refused. noteOutcomes uses it.
func (h *health) noteRefusal(cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refusals.last = cause
	h.note(cause, time.Now())
}

// noteOutcomes updates the fault of refusals: whether the sink has accepted any event, and
// how many it permanently refused after the last accepted one.
func (h *health) noteOutcomes(accepted bool, refused uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refusals.add(accepted, refused)
	if !h.refusals.unhealthy() {
		h.clearLocked(refusals)
	} else if refused > 0 {
		err := fmt.Errorf("the sink permanently refused every recent event, %d in a row: %w", h.refusals.bad, h.refusals.last)
		h.setLocked(refusals, "the sink permanently refused every recent event; list them with: genltestctl dlq list", err)
	}
}

// noteDecoding updates the fault of decoding: whether any record was decoded, and how many
// could not be decoded after the last decoded one.
func (h *health) noteDecoding(good bool, bad uint64, last error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.decoding.add(good, bad); !h.decoding.unhealthy() {
		h.clearLocked(decoding)
	} else if bad > 0 {
		err := fmt.Errorf("no recent event can be decoded, %d in a row: %w", h.decoding.bad, last)
		h.setLocked(decoding, "cannot decode events; they are delivered with the fields that are known", err)
	}
}

// stallGrace is added to the maximum duration of one attempt and one batch.
const stallGrace = time.Minute

// A stall is the last observed progress of a worker.
type stall struct {
	moves uint64    // of the account
	since time.Time // when this number of moves was first observed
}

// checkBusy sets a fault if one attempt has lasted for limit, which is longer than its timeout.
// It reports whether it has.
func (h *health) checkBusy(busy, limit time.Duration) bool {
	if busy < limit {
		return false
	}
	err := fmt.Errorf("an attempt has not ended for %s, although its time is over", busy.Round(time.Second))
	h.set(movement, "the sink has stalled", err)
	return true
}

// checkStall sets a fault if the account has not moved for limit while events are pending
// and no other fault explains it.
func (h *health) checkStall(moves, pending uint64, limit time.Duration) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	_, stalled := h.faults[movement]
	others := len(h.faults) > 1 || len(h.faults) == 1 && !stalled
	if moves != h.stall.moves || pending == 0 || others || h.stall.since.IsZero() {
		h.stall = stall{moves, now}
		h.clearLocked(movement)
	} else if idle := now.Sub(h.stall.since); idle >= limit {
		err := fmt.Errorf("no progress for %s while %d events wait", idle.Round(time.Second), pending)
		h.setLocked(movement, "the sink has stalled", err)
	}
}
