// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"io"
	"slices"
	"testing"
)

func TestLeavesSplitsJoinedErrors(t *testing.T) {
	a, b, c := io.EOF, io.ErrClosedPipe, io.ErrNoProgress
	got := leaves(errors.Join(errors.Join(a, nil, b), c))
	if !slices.Equal(got, []error{a, b, c}) {
		t.Errorf("leaves = %v", got)
	}
	if got := leaves(nil); got != nil {
		t.Errorf("leaves of no error = %v", got)
	}
}
