// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"maps"
	"slices"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/families"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/ynl"
	"github.com/genltestd/genltestd/internal/similar"
	"github.com/genltestd/genltestd/metrics"
)

// vocabularyOf returns the values and the types of the fields of events, as far as the
// configuration and the specifications of its families determine them.
func vocabularyOf(cfg *config.Config, specs *families.Specs) match.Vocabulary {
	v := match.Vocabulary{Fields: map[string]match.FieldValues{
		"kind":       {Values: event.Kinds()},
		"gap.reason": {Values: []string{"", metrics.LostKernelBuffer, metrics.LostNotSubscribed, metrics.LostUnexplained}},
	}}
	e := &cfg.Event
	for field, added := range map[string]bool{"machine_id": e.MachineID, "boot_id": e.BootID, "kernel_release": e.KernelRelease} {
		if !added {
			v.Fields[field] = match.FieldValues{Values: []string{""}, Advice: "it is empty unless event." + field + " is true"}
		}
	}
	if !cfg.HasFault(cfg.Fault("event", "")) {
		v.Labels = append([]string{}, slices.Sorted(maps.Keys(e.Labels))...)
	}
	if cfg.HasFault(cfg.Fault("families", "")) {
		v.Attributes = func([]string) (ynl.Field, bool) { return ynl.Field{}, true }
		return v
	}
	addFamilies(&v, cfg, specs)
	return v
}

// addFamilies adds the fields that depend on the families. The commands of a family without a
// specification are not known. A family without configured groups can have groups in addition
// to those of its specification.
func addFamilies(v *match.Vocabulary, cfg *config.Config, specs *families.Specs) {
	var all []*ynl.Spec // nil for a specification with faults
	var names, groups, commands []string
	knowsCommands, unlisted := true, ""
	for i := range cfg.Families {
		f := &cfg.Families[i]
		names = append(names, f.Name)
		if f.Name == config.Genltest {
			groups = append(groups, genl.GroupName)
			continue
		}
		spec := specs.Of(f.Name)
		groups = append(groups, f.Groups...)
		if len(f.Groups) == 0 {
			unlisted = "write the group into groups of its family"
			if spec != nil {
				groups = append(groups, spec.Groups...)
			}
		}
		knowsCommands = knowsCommands && spec != nil
		if spec != nil {
			commands = append(commands, spec.Commands()...)
		} else if specs.Fault(f.Name) == nil {
			spec = new(ynl.Spec) // without it, attributes have numbers as names
		}
		all = append(all, spec)
	}
	v.Fields["family"] = match.FieldValues{Values: names}
	v.Fields["group"] = match.FieldValues{Values: append(groups, ""), Unlisted: unlisted} // that of gaps may be empty
	switch {
	case len(all) == 0:
		advice := "only events of a family other than genltest have a command; add the family to families"
		v.Fields["command"] = match.FieldValues{Values: []string{""}, Advice: advice}
		return
	case knowsCommands:
		v.Fields["command"] = match.FieldValues{
			Values: append(commands, ""), Advice: "the commands are " + similar.List(commands), OrNumbers: true,
		}
	}
	v.Attributes = func(path []string) (ynl.Field, bool) { return fieldIn(all, path) }
}

// fieldIn returns the field of the events of all families. Its type is not known if it can
// be part of a specification that is not known.
func fieldIn(specs []*ynl.Spec, path []string) (field ynl.Field, ok bool) {
	for _, spec := range specs {
		if spec == nil {
			return ynl.Field{Type: unknownType(path)}, true
		}
		found, has := spec.Field(path)
		switch {
		case has && ok:
			field = field.Combine(found)
		case has:
			field, ok = found, true
		}
	}
	return field, ok
}

// unknownType returns 0, except for all attributes, which are an object.
func unknownType(path []string) ynl.ValueType {
	if len(path) == 0 {
		return ynl.ObjectType
	}
	return 0
}
