// SPDX-License-Identifier: Apache-2.0

package families

import (
	"errors"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/ynl"
)

// Every returns a function that returns the specification of a family, which need not be in
// the configuration: stored events may be of a family that was removed from it. Without a
// specification the function returns nil. A nil cfg contains no family. report is called once
// for each fault. The function is not safe for concurrent use.
func Every(cfg *config.Config, report func(error)) func(family string) *ynl.Spec {
	return every(cfg, ynl.Places(), report)
}

func every(cfg *config.Config, places []ynl.Place, report func(error)) func(family string) *ynl.Spec {
	known := map[string]*ynl.Spec{}
	if cfg != nil {
		specs, faults := load(cfg, places)
		for _, fault := range faults {
			report(fault)
		}
		known = specs.byFamily
		for family, fault := range specs.faults {
			if fault != nil {
				known[family] = nil
			}
		}
	}
	return func(family string) *ynl.Spec {
		spec, searched := known[family]
		if !searched {
			var err error
			if spec, _, err = ynl.Find(family, places); err != nil && !errors.Is(err, ynl.ErrNotFound) {
				report(err)
			}
			known[family] = spec
		}
		return spec
	}
}
