// SPDX-License-Identifier: Apache-2.0

package families

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sinks"
	"github.com/genltestd/genltestd/daemon/ynl"
)

const linkflap = `name: linkflap
protocol: genetlink
attribute-sets:
  - name: main
    attributes:
      - {name: ifname, type: string}
operations:
  list:
    - {name: flap, attribute-set: main, mcgrp: events, event: {attributes: [ifname]}}
mcast-groups:
  list:
    - name: events
`

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("conf", []byte(text), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func write(t *testing.T, dir, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEachFamilyGetsItsOwnSpecification(t *testing.T) {
	file := write(t, t.TempDir(), "flap.yaml", linkflap)
	cfg := parse(t, "families: [{name: genltest}, {name: ethtool}, {name: unknown}, {name: linkflap, spec: "+file+"}]")
	specs, faults := LoadSpecs(cfg)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for family, want := range map[string]bool{"ethtool": true, "linkflap": true, "genltest": false, "unknown": false, "devlink": false} {
		spec := specs.Of(family)
		if got := spec != nil; got != want {
			t.Errorf("%s has a specification: %v, want %v", family, got, want)
		}
		if spec != nil && spec.Family != family {
			t.Errorf("%s has the specification of %s", family, spec.Family)
		}
	}
	if (*Specs)(nil).Of("ethtool") != nil {
		t.Error("without specifications ethtool has one")
	}
}

func TestTheSpecificationsOfRemovedFamiliesStayInUse(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "linkflap.yaml", linkflap)
	before, _ := load(parse(t, "families: [devlink, netdev, {name: linkflap, spec: "+file+"}]"), ynl.Places())
	after, _ := LoadSpecs(parse(t, "families: [netdev, linkflap]"))
	all := after.Extended(before)
	if all.Of("devlink") != before.Of("devlink") || all.Of("netdev") != after.Of("netdev") || all.Of("netdev") == nil {
		t.Error("a specification is missing, or is that of before")
	}
	for family, want := range map[string]bool{"devlink": true, "netdev": true, "linkflap": true, "thermal": false} {
		if all.Includes(family) != want {
			t.Errorf("Includes(%q) = %v", family, !want)
		}
	}
	if all.Of("linkflap") != nil {
		t.Error("a family that is still configured has a specification that the configuration does not contain any more")
	}
	if after.Of("devlink") != nil || after.Extended(nil).Of("netdev") == nil {
		t.Error("the specifications themselves have changed")
	}
}

func TestAFaultOfASpecificationHasItsPosition(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "linkflap.yaml", strings.Replace(linkflap, "type: string", "type: strnig", 1))
	for name, text := range map[string]string{
		"named": "families: [{name: linkflap, spec: " + file + "}]",
		"found": "families: [{name: linkflap}]",
	} {
		_, faults := load(parse(t, text), []ynl.Place{ynl.Dir(dir)})
		if len(faults) != 1 || faults[0].File != file || faults[0].Line != 6 || faults[0].Column == 0 {
			t.Errorf("%s: got %v, want one fault in line 6 of %s", name, faults, file)
		}
	}
}

func TestASpecificationThatCannotBeReadIsAFaultOfTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	other := write(t, dir, "other.yaml", linkflap)
	if err := os.Mkdir(filepath.Join(dir, "devlink.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text, position, message string
		cause                   error
	}{
		{"families: [{name: linkflap, spec: /does/not/exist}]", "conf:1:35: families[0].spec: ", "no such file", fs.ErrNotExist},
		{"families: [{name: linkflop, spec: " + other + "}]", "conf:1:35: families[0].spec: ", `write the file for "linkflop"`, nil},
		{"families: [{name: devlink}]", "conf:1:19: families[0].name: ", "devlink.yaml", nil},
		{"families: [{name: other}]", "conf:1:19: families[0].name: ", "rename the file", nil},
	} {
		specs, faults := load(parse(t, c.text), []ynl.Place{ynl.Dir(dir)})
		if len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), c.position) || !strings.Contains(faults[0].Message, c.message) {
			t.Errorf("%s: got %v", c.text, faults)
			continue
		}
		if c.cause != nil && !errors.Is(faults[0], c.cause) {
			t.Errorf("%s: the fault does not wrap %v", c.text, c.cause)
		}
		if specs.Of("devlink") != nil || specs.Of("linkflop") != nil {
			t.Errorf("%s: a faulty specification is used", c.text)
		}
	}
}

// One family's fault does not hide the specification of another.
func TestTheOtherSpecificationsAreLoaded(t *testing.T) {
	specs, faults := LoadSpecs(parse(t, "families: [{name: a, spec: /does/not/exist}, {name: netdev}]"))
	if len(faults) != 1 || specs.Of("netdev") == nil {
		t.Errorf("got faults %v and specification %v", faults, specs.Of("netdev"))
	}
}

func TestAGroupThatTheSpecificationDoesNotListIsAWarning(t *testing.T) {
	specs, faults := LoadSpecs(parse(t, "families: [{name: devlink, groups: [confg]}, {name: netdev, groups: [mgmt]}]"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	const want = `conf:1:37: families[0].groups[0]: the specification of devlink does not contain the group "confg"; did you mean "config"?`
	if got := specs.Warnings.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The operator cannot change the files of a distribution.
func TestOnlyTheOperatorsSpecificationsHaveWarnings(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "linkflap.yaml", "doc: see #5\n"+linkflap)
	named, faults := load(parse(t, "families: [{name: linkflap, spec: "+file+"}]"), nil)
	if len(faults) > 0 || len(named.Warnings) != 1 || named.Warnings[0].File != file {
		t.Errorf("the operator's file has the faults %v and the warnings %v", faults, named.Warnings)
	}
	found, faults := load(parse(t, "families: [{name: linkflap}]"), []ynl.Place{ynl.Dir(dir)})
	if len(faults) > 0 || len(found.Warnings) > 0 {
		t.Errorf("another file has the faults %v and the warnings %v", faults, found.Warnings)
	}
}

// Stored events may be of a family that is not in the configuration any more.
func TestEverySpecificationIsFoundOnce(t *testing.T) {
	dir := t.TempDir()
	named := write(t, t.TempDir(), "named.yaml", strings.Replace(linkflap, "linkflap", "named", 1))
	write(t, dir, "linkflap.yaml", linkflap)
	write(t, dir, "broken.yaml", "name: [")
	cfg := parse(t, "families: [{name: named, spec: "+named+"}, {name: missing, spec: /does/not/exist}]")
	for _, c := range []struct {
		cfg    *config.Config
		known  []string
		faults int
	}{
		{cfg, []string{"named", "linkflap"}, 2},
		{nil, []string{"linkflap"}, 1},
	} {
		faults, known := 0, []string(nil)
		specOf := every(c.cfg, []ynl.Place{ynl.Dir(dir)}, func(error) { faults++ })
		for range 2 {
			known = nil
			for _, family := range []string{"named", "missing", "linkflap", "broken", "unknown", "../linkflap", ""} {
				if spec := specOf(family); spec != nil {
					known = append(known, spec.Family)
				}
			}
		}
		if !slices.Equal(known, c.known) || faults != c.faults {
			t.Errorf("the specifications of %q, %d faults; want %q and %d", known, faults, c.known, c.faults)
		}
	}
}
