// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/families"
)

func TestFiltersKnowTheConfiguredFamilies(t *testing.T) {
	dir := t.TempDir()
	broken, good := filepath.Join(dir, "broken.yaml"), filepath.Join(dir, "good.yaml")
	const spec = "name: linkflap\n" +
		"attribute-sets:\n- name: a\n  attributes: [{name: autoneg, type: string}, {name: dev-name, type: string}]\n" +
		"operations: {list: [{name: flap, value: 1, attribute-set: a, event: {}}]}\n"
	for path, text := range map[string]string{broken: "name: [", good: spec} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const (
		genltest = "families: [{name: genltest}]"
		ethtool  = "families: [{name: ethtool}, {name: genltest}]"
		nameless = "families: [{name: nameless}]"
	)
	linkflap := "families: [{name: ethtool}, {name: linkflap, spec: " + good + "}]"
	faulty := "families: [{name: linkflap, spec: " + broken + "}]"
	for _, c := range []struct{ families, filter, want string }{
		{genltest, `family == "genltest" and group == "mcgrp" and command == ""`, ""},
		{genltest, `attributes.x == "y"`, "no event has attributes; add a family other than genltest to families"},
		{genltest, `command == "x"`, `command is never "x"; only events of a family other than genltest have a command`},
		{genltest, `family == "ethtool"`, `family is never "ethtool"; write "genltest"`},
		{ethtool, `command == "pause-ntf" and attributes.header.dev_name == "eth0" and attributes.autoneg == 1`, ""},
		{ethtool, `command == "200" and group == "any"`, ""},
		{ethtool, `command == "paus-ntf"`, `command is never "paus-ntf"; write "pause-ntf"`},
		{ethtool, `command == "link-up"`, `command is never "link-up"; the commands are cable-test-ntf, `},
		{ethtool, `attributes.heder.dev_name == "eth0"`, "unknown attribute heder of attributes; write header"},
		{"families: [{name: ethtool, groups: [monitor]}]", `group == "x"`, `group is never "x"; write "monitor"`},
		{ethtool, `group == "moniter"`, `group is never "moniter"; write "monitor", or write the group into groups of its family`},
		{ethtool, `group in ["mcgrp", "monitor", "", "unknown"] or group startsWith "moniter"`, ""},
		{"families: [{name: ethtool, groups: [moniter]}]", `group == "moniter"`, ""},
		{nameless, `group == "any"`, ""},
		{nameless, `command == "x" and attributes["1"] == "00"`, ""},
		{nameless, `attributes.x == "00"`, "unknown attribute x of attributes; the specification does not contain attributes"},
		{linkflap, `attributes.dev_name == "eth0" and attributes.header.dev_name == "eth0"`, ""},
		{linkflap, `attributes.autoneg == "1"`, ""}, // a text in one family and a number in the other
		{faulty, `attributes.anything.at_all > 5 and command == "any"`, ""},
	} {
		cfg := parse(t, c.families+"\nsinks: [{name: a, filter: '"+c.filter+"', stdout: {}}]\n")
		specs, _ := families.LoadSpecs(cfg)
		got := Check(cfg, specs).Invalid
		if text := fmt.Sprint(got); (c.want == "") != (len(got) == 0) || !strings.Contains(text, c.want) {
			t.Errorf("%s with %s\n got %s\nwant %s", c.filter, c.families, text, c.want)
		}
	}
}
