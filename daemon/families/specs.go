// SPDX-License-Identifier: Apache-2.0

// Package families loads the specifications of the families in the configuration.
package families

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/ynl"
)

// Specs are the specifications of the families of a configuration. They do not change, and
// are safe for concurrent use. A nil Specs contains no specification.
type Specs struct {
	byFamily map[string]*ynl.Spec
	faults   map[string]error // by configured family; nil if its specification could be read

	// Warnings are the parts of the operator's specifications and of the configuration that
	// are most likely mistakes.
	Warnings config.Errors
}

// Of returns the specification of a family. Without one it returns nil: the family's
// attributes are then decoded by their numbers.
func (s *Specs) Of(family string) *ynl.Spec {
	if s == nil {
		return nil
	}
	return s.byFamily[family]
}

// Includes reports whether a family is, or was, in the configuration, so that Of returns its
// specification if it has one.
func (s *Specs) Includes(family string) bool {
	if s == nil {
		return false
	}
	_, configured := s.faults[family]
	return configured || s.byFamily[family] != nil
}

// Fault returns why the specification of a configured family could not be read, so that its
// attributes are decoded by their numbers. Without a fault it returns nil.
func (s *Specs) Fault(family string) error {
	if s == nil {
		return nil
	}
	return s.faults[family]
}

// Extended returns the specifications, and those of earlier ones for families that are not
// configured any more: the journal may contain their events.
func (s *Specs) Extended(earlier *Specs) *Specs {
	all := &Specs{byFamily: maps.Clone(s.byFamily), faults: s.faults, Warnings: s.Warnings}
	if earlier == nil {
		return all
	}
	for family, spec := range earlier.byFamily {
		if _, configured := s.faults[family]; !configured {
			all.byFamily[family] = spec
		}
	}
	return all
}

// LoadSpecs reads the specification of each family of the configuration except genltest:
// the file that the configuration names, or the first that ynl.Places contains. A family
// need not have a specification, unless the configuration names its file.
//
// With faults, Specs contains the specifications that could be read. A fault in the text of a
// specification has the position in that file. The other faults have positions in the
// configuration.
func LoadSpecs(cfg *config.Config) (*Specs, config.Errors) { return load(cfg, ynl.Places()) }

func load(cfg *config.Config, places []ynl.Place) (*Specs, config.Errors) {
	s := &Specs{byFamily: make(map[string]*ynl.Spec), faults: make(map[string]error)}
	var faults config.Errors
	for i := range cfg.Families {
		family := &cfg.Families[i]
		if family.Name == "" || family.Name == config.Genltest {
			continue
		}
		l := loader{cfg: cfg, family: family, path: fmt.Sprintf("families[%d]", i)}
		spec, errs := l.load(places)
		faults = append(faults, errs...)
		s.faults[family.Name] = nil
		if len(errs) > 0 {
			s.faults[family.Name] = errs
		} else if spec != nil {
			s.byFamily[family.Name] = spec
			s.Warnings = append(s.Warnings, l.warnings(spec)...)
		}
	}
	return s, faults
}

// A loader loads the specification of one family.
type loader struct {
	cfg    *config.Config
	family *config.Family
	path   string // of the family in the configuration
	own    bool   // the operator wrote the file
}

// load returns nil without faults for a family without a specification.
func (l *loader) load(places []ynl.Place) (*ynl.Spec, config.Errors) {
	if l.family.Spec != "" {
		return l.loadFile()
	}
	spec, file, err := ynl.Find(l.family.Name, places)
	if errors.Is(err, ynl.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, l.faults("name", err, "%v; correct the file, remove it, or write the path of another one as spec", err)
	}
	l.own = filepath.Dir(file) == ynl.OwnDir
	return spec, nil
}

func (l *loader) loadFile() (*ynl.Spec, config.Errors) {
	spec, err := ynl.Load(l.family.Spec)
	if err != nil {
		return nil, l.faults("spec", err, "cannot read the specification: %v", err)
	}
	if spec.Family != l.family.Name {
		return nil, l.faults("spec", nil, "%s is the specification of the family %q; write the file for %q",
			l.family.Spec, spec.Family, l.family.Name)
	}
	l.own = true
	return spec, nil
}

// faults returns the faults of the specification that err contains, or else a fault of a key
// of the family.
func (l *loader) faults(key string, err error, format string, args ...any) config.Errors {
	if faults := config.Errors(nil); errors.As(err, &faults) {
		return faults
	}
	fault := l.cfg.Fault(l.path+"."+key, format, args...)
	fault.Cause = err
	return config.Errors{fault}
}

// warnings returns the warnings of a specification that the operator wrote, and a warning
// for each group that the specification does not list.
func (l *loader) warnings(spec *ynl.Spec) (all config.Errors) {
	if l.own {
		all = append(all, spec.Warnings...)
	}
	for i, group := range l.family.Groups {
		if len(spec.Groups) == 0 || slices.Contains(spec.Groups, group) {
			continue
		}
		all = append(all, l.cfg.Fault(fmt.Sprintf("%s.groups[%d]", l.path, i),
			"the specification of %s does not contain the group %q; %s", l.family.Name, group, groupAdvice(group, spec.Groups)))
	}
	return all
}
