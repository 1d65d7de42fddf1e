// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"errors"
	"time"
)

// Permanent marks an error that says: the first event that was not accepted will
// never be taken, however often it is tried. Delivery puts it with the dead
// letters and goes on behind it. Any other error is tried again, in order, for
// ever: when in doubt an error is not permanent.
func Permanent(err error) error { return &permanent{err: err, events: 1} }

// PermanentAmong marks an error that says: among the first n events that were not
// accepted is one that will never be taken, and which one is not known. Delivery
// tries again with fewer at a time until it is.
func PermanentAmong(n int, err error) error { return &permanent{err: err, events: n} }

type permanent struct {
	err    error
	events int
}

func (e *permanent) Error() string { return e.err.Error() }
func (e *permanent) Unwrap() error { return e.err }

// Poisoned returns among how many events, from the first one not accepted on,
// there is one that will never be taken: 1 after Permanent, 0 when err is worth
// another attempt.
func Poisoned(err error) int {
	var p *permanent
	if errors.As(err, &p) {
		return max(p.events, 1)
	}
	return 0
}

// RetryAfter marks an error with which the other side has said when the next
// attempt may be made: not before delay has passed.
func RetryAfter(delay time.Duration, err error) error { return &retryAfter{err, delay} }

type retryAfter struct {
	err   error
	delay time.Duration
}

func (e *retryAfter) Error() string { return e.err.Error() }
func (e *retryAfter) Unwrap() error { return e.err }

// RetryDelay returns what RetryAfter was given, 0 for any other error.
func RetryDelay(err error) time.Duration {
	var r *retryAfter
	if errors.As(err, &r) {
		return max(r.delay, 0)
	}
	return 0
}

// An OptionError says which of a sink's options cannot work. A kind's Check
// returns them, joined, for what can be told without the network and without
// touching the other side: a file that is missing, a text that does not compile.
type OptionError struct {
	Key string // of the configuration, below the sink's: "webhook.tls.ca"
	Err error

	// The place within the value, in characters from 1; 0 when not known.
	Line, Column int
}

func (e *OptionError) Error() string { return e.Key + ": " + e.Err.Error() }
func (e *OptionError) Unwrap() error { return e.Err }
