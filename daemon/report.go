// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"time"
)

const (
	// statusMin is the least time between two lines.
	statusMin = time.Second

	// statusMax is the longest time between two looks for a change. Mostly the receiver,
	// which wakes up once a second in any case, asks for them.
	statusMax = 5 * time.Second
)

// A statusReporter keeps the line that systemctl status shows.
type statusReporter struct {
	line func() string // as it is now
	send func(line string)
	wake chan struct{}
}

func newStatusReporter(line func() string, send func(string)) *statusReporter {
	return &statusReporter{line: line, send: send, wake: make(chan struct{}, 1)}
}

// look has the reporter look for a change. It does not block.
func (s *statusReporter) look() {
	select {
	case s.wake <- struct{}{}:
	default: // it is about to
	}
}

// run sends the line when it has changed, until the context ends.
func (s *statusReporter) run(ctx context.Context) {
	tick := time.NewTicker(statusMax)
	defer tick.Stop()
	shown, since := s.line(), time.Now()
	s.send(shown)
	for {
		select {
		case <-tick.C:
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		if time.Since(since) < statusMin {
			continue // there is another look in a second
		}
		if line := s.line(); line != shown {
			shown, since = line, time.Now()
			s.send(shown)
		}
	}
}
