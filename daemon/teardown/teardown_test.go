// SPDX-License-Identifier: Apache-2.0

package teardown_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/genltestd/genltestd/daemon/teardown"
)

func TestRunReleasesTheLastFirstAndEachOnce(t *testing.T) {
	var order []int
	failed := errors.New("no")
	var s teardown.Stack
	for i := range 3 {
		s.Push(func() error {
			order = append(order, i)
			if i == 1 {
				return failed
			}
			return nil
		})
	}
	if err := s.Run(); !errors.Is(err, failed) {
		t.Errorf("error %v, want %v", err, failed)
	}
	if err := s.Run(); err != nil {
		t.Errorf("an empty stack: %v", err)
	}
	if want := []int{2, 1, 0}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}
