// SPDX-License-Identifier: Apache-2.0

// Package teardown releases resources in the reverse order of their creation.
package teardown

import (
	"errors"
	"slices"
)

// A Stack is the steps that release what was created so far. Push a step as soon as its
// resource exists. The zero Stack is empty. It is not safe for concurrent use.
type Stack struct{ steps []func() error }

// Push adds a step, which runs before all earlier ones.
func (s *Stack) Push(step func() error) { s.steps = append(s.steps, step) }

// Run runs all steps, also after an error, empties the stack, and returns the joined
// errors.
func (s *Stack) Run() error {
	var errs []error
	for _, step := range slices.Backward(s.steps) {
		errs = append(errs, step())
	}
	s.steps = nil
	return errors.Join(errs...)
}
