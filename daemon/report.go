// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"time"
)

const (
	// statusMin is the minimum interval between two lines.
	statusMin = time.Second

	// statusMax is the interval between two checks for a change on an idle machine, which
	// should rarely wake up. The receiver requests further checks after events.
	statusMax = 5 * time.Second
)

// A statusReporter updates the line that systemctl status shows.
type statusReporter struct {
	line      func() string // returns the current line
	unsettled func() bool   // reports whether the line may change without an event
	send      func(line string)
	wake      chan struct{}
}

func newStatusReporter(line func() string, unsettled func() bool, send func(string)) *statusReporter {
	return &statusReporter{line: line, unsettled: unsettled, send: send, wake: make(chan struct{}, 1)}
}

// look requests a check for a change within statusMin. It does not block.
func (s *statusReporter) look() {
	select {
	case s.wake <- struct{}{}:
	default: // a check is already requested
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
		if !s.wait(ctx) {
			return
		}
	}
}

// wait waits until the next check, and returns false if the context ends first.
func (s *statusReporter) wait(ctx context.Context) bool {
	looked, most := time.Now(), statusMax
	if s.unsettled() {
		most = statusMin
	}
	return sleep(ctx, most, s.wake) && sleep(ctx, statusMin-time.Since(looked), nil)
}

// sleep waits for a duration or for wake, and returns false if the context ends first.
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
