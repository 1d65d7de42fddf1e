// SPDX-License-Identifier: Apache-2.0

package ratelog

import (
	"sync"
	"time"
)

const (
	interval = time.Minute // between two lines of a kind
	burst    = 5           // maximum lines of one message in an interval
)

// A Limiter decides which lines are logged. It is safe for concurrent use. Its zero value
// is ready for use.
type Limiter struct {
	mu       sync.Mutex
	messages map[string]*message
}

// A message is the state of the lines with one message. Messages are constants of the
// program, so there are few.
type message struct {
	shown   []shown // lines of the last interval, at most burst
	leftOut int     // lines that were left out since the last logged one
	open    bool    // a line was logged since the last call of Resolve
}

// A shown is a line that was logged.
type shown struct {
	kind  string
	at    time.Time
	reset bool // it does not suppress further lines of its kind
}

// Admit reports whether a line is logged now, and how many lines with the message were left
// out before it. The number of different messages must be bounded.
func (l *Limiter) Admit(msg, kind string) (leftOut int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.messages == nil {
		l.messages = make(map[string]*message)
	}
	m := l.messages[msg]
	if m == nil {
		m = &message{}
		l.messages[msg] = m
	}
	now := time.Now()
	if !m.admits(kind, now) {
		m.leftOut++
		return 0, false
	}
	m.shown = append(m.shown, shown{kind: kind, at: now})
	m.open = true
	leftOut, m.leftOut = m.leftOut, 0
	return leftOut, true
}

func (m *message) admits(kind string, now time.Time) bool {
	recent := m.shown[:0]
	known := false
	for _, s := range m.shown {
		if now.Sub(s.at) < interval {
			recent = append(recent, s)
			known = known || s.kind == kind && !s.reset
		}
	}
	m.shown = recent
	return !known && len(recent) < burst
}

// Reset makes the next line with the message appear at once, unless the limit of lines per
// message is reached. Call it when the condition that the lines report has ended.
func (l *Limiter) Reset(msg string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.messages[msg]; m != nil {
		for i := range m.shown {
			m.shown[i].reset = true
		}
	}
}

// Resolve calls Reset, and reports whether a line with the message was logged since the
// last call.
func (l *Limiter) Resolve(msg string) (logged bool) {
	l.mu.Lock()
	m := l.messages[msg]
	if m != nil {
		logged, m.open = m.open, false
	}
	l.mu.Unlock()
	if logged {
		l.Reset(msg)
	}
	return logged
}

// LeftOut returns the log arguments for a number of lines that were left out: nil for 0.
func LeftOut(lines int) []any {
	if lines == 0 {
		return nil
	}
	return []any{"such_lines_left_out", lines}
}
