// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"errors"
	"slices"
)

// CloseAll closes each of the sinks.
func CloseAll(sinks []Sink) error {
	var errs []error
	for _, s := range sinks {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Without returns those of the sinks that are not among others.
func Without(sinks, others []Sink) []Sink {
	return slices.DeleteFunc(slices.Clone(sinks), func(s Sink) bool { return slices.Contains(others, s) })
}
