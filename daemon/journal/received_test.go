// SPDX-License-Identifier: Apache-2.0

package journal

import "testing"

// While one call reads the journal from a disk that hangs, another one returns at once.
func TestTryOldestDoesNotWaitForAnotherCall(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	if err := j.Append(nil, epoch, [][]byte{{1}}); err != nil {
		t.Fatal(err)
	}
	r := reader(t, j, "r", FromOldest)
	r.oldest.mu.Lock()
	if at, err := r.TryOldest(); !at.IsZero() || err != nil {
		t.Errorf("while another call reads: %v, %v", at, err)
	}
	r.oldest.mu.Unlock()
	if at, err := r.TryOldest(); !at.Equal(epoch) || err != nil {
		t.Errorf("the oldest record was received at %v, %v; want %v", at, err, epoch)
	}
	j.Seal()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}
