// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestWrappedErrorsKeepTheirClass(t *testing.T) {
	wrap := func(err error) error { return errors.Join(io.ErrClosedPipe, fmt.Errorf("deliver: %w", err)) }
	tests := []struct {
		err      error
		poisoned int
		delay    time.Duration
	}{
		{nil, 0, 0},
		{io.EOF, 0, 0},
		{Permanent(io.EOF), 1, 0},
		{wrap(Permanent(io.EOF)), 1, 0},
		{wrap(PermanentAmong(7, io.EOF)), 7, 0},
		{PermanentAmong(0, io.EOF), 1, 0},
		{RetryAfter(time.Minute, io.EOF), 0, time.Minute},
		{wrap(RetryAfter(time.Minute, io.EOF)), 0, time.Minute},
		{RetryAfter(-time.Minute, io.EOF), 0, 0},
		{WithText("it failed", PermanentAmong(7, io.EOF)), 7, 0},
	}
	for _, tt := range tests {
		if got := Poisoned(tt.err); got != tt.poisoned {
			t.Errorf("Poisoned(%v) = %d, want %d", tt.err, got, tt.poisoned)
		}
		if got := RetryDelay(tt.err); got != tt.delay {
			t.Errorf("RetryDelay(%v) = %v, want %v", tt.err, got, tt.delay)
		}
		if tt.err != nil && !errors.Is(tt.err, io.EOF) {
			t.Errorf("%v hides its cause", tt.err)
		}
	}
}
