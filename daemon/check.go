// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/families"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/web"
)

// Check returns the faults of a well-formed configuration that depend on this machine or
// that require compiling: a path that belongs to something else, an invalid expression, a
// file or credential that this process cannot read. It does not use the network. The error
// is a config.Errors.
func Check(cfg *config.Config, dirs Dirs) error {
	if faults := CheckRest(cfg, nil, dirs); len(faults) > 0 {
		return faults
	}
	return nil
}

// CheckRest is Check for a configuration whose text has faults: a wrong key must not hide a
// wrong filter. It returns all faults, including those of the text.
func CheckRest(cfg *config.Config, text config.Errors, dirs Dirs) config.Errors {
	_, faults := check(cfg, text, dirs)
	return faults
}

// check returns the checked configuration and all faults, including those of the text. A
// fault that is not in Invalid can be fixed at run time. It disables only its sink, or leaves
// a family without its specification.
func check(cfg *config.Config, text config.Errors, dirs Dirs) (*pipeline.Checked, config.Errors) {
	specs, specFaults := families.LoadSpecs(cfg)
	checked := pipeline.Check(cfg, specs)
	checked.Invalid = append(collisions(cfg, dirs), checked.Invalid...)
	faults := slices.Concat(checked.Invalid, checked.Failing, specFaults)
	for _, fault := range existingFaults(cfg) {
		if !hasPath(faults, fault.Path) {
			faults = append(faults, fault)
		}
	}
	if err := web.Validate(cfg.HTTP.WebConfig); err != nil && cfg.HTTP.Listen != "" {
		fault := cfg.Fault("http.web_config", "%v", err)
		fault.Cause = err
		faults = append(faults, fault)
	}
	if fault := journalDirFault(cfg); fault != nil && !hasPath(faults, fault.Path) {
		faults = append(faults, fault)
	}
	return checked, text.Join(faults.Extract(func(f *config.FieldError) bool { return !cfg.HasFault(f) }))
}

func hasPath(faults config.Errors, path string) bool {
	return slices.ContainsFunc(faults, func(f *config.FieldError) bool { return f.Path == path })
}

// IsUnverifiable reports whether a fault may exist for this process only, because the
// service has other rights, credentials and environment variables. sameUser means that
// this process reads files with the rights of the service.
func IsUnverifiable(fault error, sameUser bool) bool {
	return errors.Is(fault, secret.ErrOutside) || !sameUser && errors.Is(fault, fs.ErrPermission)
}
