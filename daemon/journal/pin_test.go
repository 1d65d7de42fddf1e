// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"testing"
)

// TestSetPinAtRunTime: without a pin, the next Append may remove unread records; with a
// pin, no unread record is removed.
func TestSetPinAtRunTime(t *testing.T) {
	j, r := fullForReader(t)
	r.SetPin(false)
	fill(t, j, 50)
	first := j.Stats().First
	r.SetPin(true)
	if err := fillUntilFull(t, j); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	got, skipped := drain(t, r)
	if skipped != first-1 || skipped+uint64(len(got)) != j.Stats().Count {
		t.Errorf("skipped %d, got %d of %d; up to %d were removed before the pin", skipped, len(got), j.Stats().Count, first-1)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	reader(t, j, "r", FromOldest)
	r.SetPin(true) // r is closed, so this must not pin the new reader of its name
	fill(t, j, 50)
}
