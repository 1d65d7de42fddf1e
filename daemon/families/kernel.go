// SPDX-License-Identifier: Apache-2.0

package families

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/similar"
)

// lookupTimeout limits the request to the kernel, which replies in microseconds.
const lookupTimeout = 5 * time.Second

// CheckKernel compares the configured families with those of the running kernel. A family
// without multicast groups can never be received, which is a fault. A family that is not
// registered is received as soon as it is, so this is a warning. If the kernel cannot be
// asked, that is a warning too. Without other families than genltest the kernel is not asked.
func CheckKernel(cfg *config.Config) (faults, warnings config.Errors) {
	if !slices.ContainsFunc(cfg.Families, func(f config.Family) bool { return f.Name != config.Genltest }) {
		return nil, nil
	}
	registered, err := listFamilies()
	if err != nil {
		return nil, config.Errors{cfg.Fault("families", "cannot compare them with those of the running kernel: %v", err)}
	}
	return compare(cfg, registered)
}

func listFamilies() ([]genl.FamilyInfo, error) {
	c, err := genl.OpenController()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	return c.Families(ctx)
}

func compare(cfg *config.Config, registered []genl.FamilyInfo) (faults, warnings config.Errors) {
	var names []string
	for _, r := range registered {
		names = append(names, r.Name)
	}
	for i, f := range cfg.Families {
		path := fmt.Sprintf("families[%d]", i)
		at := slices.Index(names, f.Name)
		switch {
		case f.Name == config.Genltest || f.Name == "" || cfg.HasFault(cfg.Fault(path+".name", "")):
		case at < 0:
			warnings = append(warnings, cfg.Fault(path+".name", "the running kernel does not have the family %q; %s",
				f.Name, absenceAdvice(f.Name, names)))
		case len(registered[at].Groups) == 0:
			faults = append(faults, cfg.Fault(path+".name",
				"the family %q does not have multicast groups, so its events cannot be received; remove the entry", f.Name))
		default:
			warnings = append(warnings, compareGroups(cfg, path, f.Groups, registered[at].Groups)...)
		}
	}
	return faults, warnings
}

func absenceAdvice(name string, registered []string) string {
	if best := similar.Closest(name, registered); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "it is received as soon as its module or driver registers it"
}

// compareGroups returns a warning for each configured group that a family does not have.
func compareGroups(cfg *config.Config, path string, configured []string, registered []genl.Group) (warnings config.Errors) {
	var names []string
	for _, g := range registered {
		names = append(names, g.Name)
	}
	for i, group := range configured {
		if slices.Contains(names, group) {
			continue
		}
		warnings = append(warnings, cfg.Fault(fmt.Sprintf("%s.groups[%d]", path, i),
			"the family of the running kernel does not have the group %q; %s", group, groupAdvice(group, names)))
	}
	return warnings
}

// groupAdvice names the most similar group, or all groups.
func groupAdvice(group string, groups []string) string {
	if best := similar.Closest(group, groups); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "its groups are " + strings.Join(groups, ", ")
}
