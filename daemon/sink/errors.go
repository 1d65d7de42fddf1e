// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"crypto/tls"
	"errors"
	"time"
)

// Permanent marks an error as permanent: no attempt can deliver the first event that was not
// accepted. Delivery adds the event to the dead letters and continues with the next one. After
// any other error, delivery retries in order without a limit. When in doubt, an error is not
// permanent.
func Permanent(err error) error { return &permanent{err: err, events: 1} }

// PermanentAmong marks an error as permanent for an unknown event among the first n that were
// not accepted. Delivery retries with smaller batches until it has found the event.
func PermanentAmong(n int, err error) error { return &permanent{err: err, events: n} }

type permanent struct {
	err    error
	events int
}

func (e *permanent) Error() string { return e.err.Error() }
func (e *permanent) Unwrap() error { return e.err }

// Poisoned returns the n of PermanentAmong, 1 for the error of Permanent, and 0 for an error
// after which delivery retries.
func Poisoned(err error) int {
	var p *permanent
	if errors.As(err, &p) {
		return max(p.events, 1)
	}
	return 0
}

// RetryAfter marks an error with the delay before the next attempt that the other side
// requires.
func RetryAfter(delay time.Duration, err error) error { return &retryAfter{err, delay} }

type retryAfter struct {
	err   error
	delay time.Duration
}

func (e *retryAfter) Error() string { return e.err.Error() }
func (e *retryAfter) Unwrap() error { return e.err }

// RetryDelay returns the delay of RetryAfter, and 0 for any other error.
func RetryDelay(err error) time.Duration {
	var r *retryAfter
	if errors.As(err, &r) {
		return max(r.delay, 0)
	}
	return 0
}

// WithText returns an error with a text that can be shown in place of that of its cause, which may
// contain secrets. A nil cause is valid.
func WithText(text string, cause error) error { return &worded{text, cause} }

type worded struct {
	text  string
	cause error
}

func (e *worded) Error() string { return e.text }
func (e *worded) Unwrap() error { return e.cause }

// Untrusted returns the error in the chain of err that the certificate of the other side was not
// accepted, for example because it has expired; nil without one. A kind that shows its own text
// in place of the error uses it as a cause; see WithText.
func Untrusted(err error) error {
	if untrusted := (*tls.CertificateVerificationError)(nil); errors.As(err, &untrusted) {
		return untrusted
	}
	return nil
}

// An OptionError is the fault of one key. See Verifier.
type OptionError struct {
	Key string // below the entry of the sink, such as "webhook.tls.ca"
	Err error

	// Line and Column are the position within the value, in characters from 1; 0 if unknown.
	Line, Column int
}

func (e *OptionError) Error() string { return e.Key + ": " + e.Err.Error() }
func (e *OptionError) Unwrap() error { return e.Err }
