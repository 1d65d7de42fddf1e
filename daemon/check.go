// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Check reports what of a well-formed configuration cannot work here: a path that
// belongs to something else, a text that does not compile, a file or credential that
// this process cannot read. It touches no network. The error is a config.Errors.
//
// New rejects only what no change outside of the configuration can repair: a file may
// appear later, and until then its sink alone does not work.
func Check(cfg *config.Config, dirs Dirs) error {
	if faults := CheckRest(cfg, nil, dirs); len(faults) > 0 {
		return faults
	}
	return nil
}

// CheckRest is Check for a configuration with faults in its text: one wrong key must not
// hide a wrong filter further down. It returns all faults, those of the text included.
func CheckRest(cfg *config.Config, text config.Errors, dirs Dirs) config.Errors {
	faults := collisions(cfg, dirs)
	if fault := journalDirFault(cfg); fault != nil && !slices.ContainsFunc(faults, func(f *config.FieldError) bool { return f.Path == fault.Path }) {
		faults = append(faults, fault)
	}
	compiler := newCompiler(cfg)
	for i := range cfg.Sinks {
		sc, path := &cfg.Sinks[i], fmt.Sprintf("sinks[%d]", i)
		err := errors.Join(checkRules(cfg, path, sc, compiler), checkSink(sc))
		faults = append(faults, sinkFaults(cfg, i, err)...)
	}
	return text.Join(faults.Extract(func(f *config.FieldError) bool { return !cfg.HasFault(f) }))
}

// checkRules checks the rules and the envelope of a sink, as far as they do not depend on
// keys that have a fault themselves: extract names the captures of both.
func checkRules(cfg *config.Config, path string, c *config.Sink, compiler *match.Compiler) error {
	if cfg.HasFault(cfg.Fault(path+".extract", "")) {
		_, err := newEncoder(c)
		return err
	}
	_, err := newRules(c, compiler)
	if cfg.HasFault(cfg.Fault("event.labels", "")) {
		_, wrong := newEncoder(c)
		return errors.Join(err, wrong)
	}
	return errors.Join(err, checkEnvelope(&cfg.Event, c))
}

// IsUnverifiable reports whether a fault may exist for this process only, because the
// service has other rights, credentials and environment variables. sameUser means that
// this process reads files with the rights of the service.
func IsUnverifiable(fault error, sameUser bool) bool {
	return errors.Is(fault, secret.ErrOutside) || !sameUser && errors.Is(fault, fs.ErrPermission)
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
