// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"io"
	"testing"
)

func TestLeavesTakesJoinedErrorsApart(t *testing.T) {
	a, b, c := io.EOF, io.ErrClosedPipe, io.ErrNoProgress
	got := leaves(errors.Join(errors.Join(a, nil, b), c))
	if len(got) != 3 || got[0] != a || got[1] != b || got[2] != c {
		t.Errorf("leaves = %v", got)
	}
	if got := leaves(nil); got != nil {
		t.Errorf("leaves of no error = %v", got)
	}
}
