// SPDX-License-Identifier: Apache-2.0

// Package poll waits in tests until a condition holds. Only tests use it, for state that they
// cannot wait for in another way, such as that of another process.
package poll

import (
	"errors"
	"testing"
	"time"
)

const (
	limit       = 4 * time.Minute // only ends a test that would hang; a loaded machine starts RabbitMQ in more than one
	minInterval = time.Millisecond
	maxInterval = 100 * time.Millisecond
)

var errNot = errors.New("the condition does not hold")

// Until waits until condition returns true. After the limit it ends the test with a message
// that contains what.
func Until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	UntilNil(t, what, func() error {
		if !condition() {
			return errNot
		}
		return nil
	})
}

// UntilNil is Until for a condition that returns why it does not hold.
func UntilNil(t testing.TB, what string, condition func() error) {
	t.Helper()
	began, interval := time.Now(), minInterval
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Since(began) > limit {
			t.Fatalf("not within %v: %s: %v", limit, what, err)
		}
		time.Sleep(interval)
		interval = min(2*interval, maxInterval)
	}
}
