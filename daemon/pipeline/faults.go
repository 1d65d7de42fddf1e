// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"fmt"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sink"
)

// sinkError returns why a pipeline cannot be created. Faults of the configuration have a position.
func sinkError(cfg *config.Config, i int, err error) error {
	var option *sink.OptionError
	if errors.As(err, &option) {
		return Faults(cfg, i, err)
	}
	return fmt.Errorf("sink %s: %w", cfg.Sinks[i].Name, err)
}

// Faults adds positions in the configuration to the joined errors of the sink with index i.
func Faults(cfg *config.Config, i int, err error) (faults config.Errors) {
	path := fmt.Sprintf("sinks[%d]", i)
	for _, err := range leaves(err) {
		var option *sink.OptionError
		if errors.As(err, &option) {
			f := cfg.FaultWithin(path+"."+option.Key, option.Line, option.Column, "%v", option.Err)
			faults = append(faults, caused(f, option.Err))
		} else {
			faults = append(faults, caused(cfg.Fault(path, "%v", err), err))
		}
	}
	return faults
}

func caused(f *config.FieldError, err error) *config.FieldError {
	f.Cause = err
	return f
}

// leaves returns the errors that were joined to err, at any depth.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, err := range joined.Unwrap() {
		all = append(all, leaves(err)...)
	}
	return all
}
