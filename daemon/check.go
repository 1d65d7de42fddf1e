// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/secret"
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
	compiler := pipeline.NewCompiler(cfg)
	for i := range cfg.Sinks {
		sc, path := &cfg.Sinks[i], fmt.Sprintf("sinks[%d]", i)
		err := errors.Join(checkRules(cfg, path, sc, compiler), checkSink(sc))
		faults = append(faults, pipeline.Faults(cfg, i, err)...)
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
	_, err := pipeline.NewRules(c, compiler)
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
