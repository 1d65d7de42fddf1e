// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Check says what of a configuration that was read well cannot work here: a file
// that is missing, a text that does not compile. It opens nothing and touches no
// network. The error is a config.Errors. New refuses only what does not compile: a
// file may come later.
func Check(cfg *config.Config) error {
	var faults config.Errors
	for i := range cfg.Sinks {
		sc := &cfg.Sinks[i]
		_, err := newRules(sc)
		faults = append(faults, sinkFaults(cfg, i, errors.Join(err, checkSink(sc)))...)
	}
	if len(faults) > 0 {
		faults.Sort()
		return faults
	}
	return nil
}

// sinkError is why there is no worker for a sink: what is wrong with its
// configuration has its place.
func sinkError(cfg *config.Config, i int, err error) error {
	var option *sink.OptionError
	if errors.As(err, &option) {
		return sinkFaults(cfg, i, err)
	}
	return fmt.Errorf("sink %s: %w", cfg.Sinks[i].Name, err)
}

// sinkFaults gives the errors of a sink's options their places.
func sinkFaults(cfg *config.Config, i int, err error) (faults config.Errors) {
	path := fmt.Sprintf("sinks[%d]", i)
	for _, err := range leaves(err) {
		var option *sink.OptionError
		if errors.As(err, &option) {
			faults = append(faults, cfg.Fault(path+"."+option.Key, "%v", option.Err))
		} else {
			faults = append(faults, cfg.Fault(path, "%v", err))
		}
	}
	return faults
}

// leaves takes joined errors apart.
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
