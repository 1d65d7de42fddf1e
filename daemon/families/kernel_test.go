// SPDX-License-Identifier: Apache-2.0

package families

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/sinks"
)

func TestFamiliesAreComparedWithThoseOfTheKernel(t *testing.T) {
	registered := []genl.FamilyInfo{
		{Name: "genltest"},
		{Name: "TASKSTATS"},
		{Name: "devlink", Groups: []genl.Group{{Name: "config", ID: 5}}},
		{Name: "ethtool", Groups: []genl.Group{{Name: "monitor", ID: 6}}},
	}
	cfg := parse(t, "families:\n"+
		"- genltest\n- ethtool\n- {name: devlink, groups: [config, confg, x]}\n- TASKSTATS\n- devlnk\n- linkflap\n")
	faults, warnings := compare(cfg, registered)
	for _, tt := range []struct {
		name string
		got  config.Errors
		want []string
	}{
		{"faults", faults, []string{
			`conf:5:3: families[3].name: the family "TASKSTATS" does not have multicast groups, ` +
				"so its events cannot be received; remove the entry",
		}},
		{"warnings", warnings, []string{
			`conf:4:36: families[2].groups[1]: the family of the running kernel does not have the group "confg"; ` +
				`did you mean "config"?`,
			`conf:4:43: families[2].groups[2]: the family of the running kernel does not have the group "x"; its groups are config`,
			`conf:6:3: families[4].name: the running kernel does not have the family "devlnk"; did you mean "devlink"?`,
			`conf:7:3: families[5].name: the running kernel does not have the family "linkflap"; ` +
				"it is received as soon as its module or driver registers it",
		}},
	} {
		var got []string
		for _, e := range tt.got {
			got = append(got, e.Error())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A refused name has a fault, which advice to wait for a module would contradict.
func TestTheKernelIsNotAskedAboutRefusedFamilies(t *testing.T) {
	cfg, err := config.Parse("conf", []byte("families: [NET_DM]\n"), sinks.Kinds())
	if err == nil {
		t.Fatal("NET_DM is accepted")
	}
	if faults, warnings := compare(cfg, nil); len(faults)+len(warnings) > 0 {
		t.Errorf("faults %v, warnings %v", faults, warnings)
	}
}

// The check of the default configuration works also where netlink is not available.
func TestTheKernelIsNotAskedAboutGenltest(t *testing.T) {
	if faults, warnings := CheckKernel(parse(t, "")); len(faults)+len(warnings) > 0 {
		t.Errorf("faults %v, warnings %v", faults, warnings)
	}
}

// nlctrl is a family of every kernel.
func TestTheRunningKernelIsAsked(t *testing.T) {
	faults, warnings := CheckKernel(parse(t, "families: [{name: nlctrl, groups: [notify]}, {name: no-such}]"))
	if len(faults) > 0 || len(warnings) != 1 || warnings[0].Path != "families[1].name" {
		t.Errorf("faults %v, warnings %v", faults, fmt.Sprint(warnings))
	}
}
