// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"time"
)

const (
	// statusMin is the least time between two lines.
	statusMin = time.Second

	// statusMax is the time between two looks for a change on an idle machine, which is not
	// to be woken up: the receiver asks for others when there was an event.
	statusMax = 5 * time.Second
)

// A statusReporter keeps the line that systemctl status shows.
type statusReporter struct {
	line      func() string // as it is now
	unsettled func() bool   // the line may change soon
	send      func(line string)
	wake      chan struct{}
}

func newStatusReporter(line func() string, unsettled func() bool, send func(string)) *statusReporter {
	return &statusReporter{line: line, unsettled: unsettled, send: send, wake: make(chan struct{}, 1)}
}

// look has the reporter look for a change, within statusMin. It does not block.
func (s *statusReporter) look() {
	select {
	case s.wake <- struct{}{}:
	default: // it is about to
	}
}

// run sends the line when it has changed, until the context ends.
func (s *statusReporter) run(ctx context.Context) {
	shown := ""
	for {
		if line := s.line(); line != shown {
			s.send(line)
			shown = line
		}
		if !s.rest(ctx) {
			return
		}
	}
}

// rest waits until it is time for another look, and reports whether there is to be one.
func (s *statusReporter) rest(ctx context.Context) bool {
	looked, most := time.Now(), statusMax
	if s.unsettled() {
		most = statusMin
	}
	return sleep(ctx, most, s.wake) && sleep(ctx, statusMin-time.Since(looked), nil)
}

// sleep waits for a time or for wake, and reports whether the context goes on.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
		return false
	}
	return true
}
