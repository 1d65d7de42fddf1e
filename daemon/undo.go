// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"slices"
)

// An undoer takes back what was made, the last first, when what comes after it fails.
type undoer struct{ steps []func() error }

func (u *undoer) push(step func() error) { u.steps = append(u.steps, step) }

func (u *undoer) run() error {
	var errs []error
	for _, step := range slices.Backward(u.steps) {
		errs = append(errs, step())
	}
	u.steps = nil
	return errors.Join(errs...)
}
