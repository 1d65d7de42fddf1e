// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/internal/readfile"
)

// families are those of our own specifications, with the groups that each one names.
var families = map[string]string{
	"acpi_event": "acpi_mc_group",
	"devlink":    "config",
	"ethtool":    "monitor",
	"genltest":   "mcgrp",
	"mptcp_pm":   "mptcp_pm_cmds mptcp_pm_events",
	"netdev":     "mgmt page-pool",
	"nlctrl":     "notify",
	"thermal":    "sampling event",
}

func TestEmbeddedSpecifications(t *testing.T) {
	files, err := fs.Glob(embedded, "specs/*.yaml")
	if err != nil || len(files) != len(families) {
		t.Errorf("%v, %v", files, err)
	}
	for family, groups := range families {
		spec, err := Embedded(family)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := strings.Join(spec.Groups, " "); got != groups {
			t.Errorf("%s: groups %q, want %q", family, got, groups)
		}
		for number, c := range spec.events {
			if c != nil && !strings.Contains(groups, c.group) {
				t.Errorf("%s: command %d has the group %q", family, number, c.group)
			}
		}
	}
}

// writeSpec writes a specification whose only command has a name.
func writeSpec(t *testing.T, dir, file, family, command string) {
	t.Helper()
	text := "name: " + family + "\nattribute-sets: [{name: s, attributes: [{name: a, type: u8}]}]\n" +
		"operations: {list: [{name: " + command + ", attribute-set: s, event: {}}]}\n"
	if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFindReturnsTheFirstPlace(t *testing.T) {
	own, installed := t.TempDir(), t.TempDir()
	writeSpec(t, own, "a.yaml", "a", "own")
	writeSpec(t, installed, "a.yaml", "a", "installed")
	writeSpec(t, installed, "b_c.yaml", "b-c", "underscore")
	writeSpec(t, installed, "d-e.yaml", "d_e", "dash")
	places := []Place{Dir(filepath.Join(own, "missing")), Dir(own), Dir(installed)}
	for family, want := range map[string]string{"a": "own", "b-c": "underscore", "d_e": "dash"} {
		spec, name, err := Find(family, places)
		if err != nil || spec.Command(1) != want || !strings.HasSuffix(name, ".yaml") {
			t.Errorf("%s: got %q from %s, error %v, want %q", family, spec.Command(1), name, err, want)
		}
	}
	_, _, err := Find("x", places)
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), own) || !strings.Contains(err.Error(), installed) {
		t.Errorf("error %v, want ErrNotFound with the places", err)
	}
}

func TestOperatorsSpecificationsAreBeforeOurs(t *testing.T) {
	var names []string
	for _, p := range Places() {
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != "/etc/genltestd/specs built-in /usr/share/ynl/specs /usr/local/share/ynl/specs" {
		t.Errorf("places %s", got)
	}
	for _, p := range Places() {
		if p.IsInstalled != strings.Contains(p.Name, "ynl") {
			t.Errorf("%s: IsInstalled is %t", p.Name, p.IsInstalled)
		}
	}
}

// A place that cannot be read might contain the specification, so the search ends there.
func TestAPlaceThatCannotBeReadIsNotEmpty(t *testing.T) {
	broken, next := t.TempDir(), t.TempDir()
	writeSpec(t, next, "a.yaml", "a", "next")
	if err := os.Mkdir(filepath.Join(broken, "a.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	spec, _, err := Find("a", []Place{Dir(broken), Dir(next)})
	if !errors.Is(err, readfile.ErrNotRegular) || errors.Is(err, ErrNotFound) || spec != nil {
		t.Errorf("a directory in place of the file: %v", err)
	}
	loop := filepath.Join(broken, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Find("a", []Place{Dir(loop), Dir(next)}); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("a loop of links: %v", err)
	}
	if _, err := Load(filepath.Join(next, "b.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestAWrongSpecificationIsNotPassedOver(t *testing.T) {
	wrong, next := t.TempDir(), t.TempDir()
	writeSpec(t, next, "a.yaml", "a", "next")
	writeSpec(t, wrong, "a.yaml", "b", "other")
	_, _, err := Find("a", []Place{Dir(wrong), Dir(next)})
	const want = `the name is "b", but the file's name requires "a"; correct the name, or rename the file`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(filepath.Join(wrong, "a.yaml"), []byte("nam: a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err = Find("a", []Place{Dir(wrong), Dir(next)}); err == nil || !strings.Contains(err.Error(), "a.yaml:1:1: nam: unknown key") {
		t.Errorf("error %v", err)
	}
	if _, err := Load(filepath.Join(wrong, "a.yaml")); err == nil || !strings.Contains(err.Error(), "a.yaml:1:1: nam: unknown key") {
		t.Errorf("error of Load: %v", err)
	}
}

func TestAFamilysNameDoesNotLeaveTheDirectory(t *testing.T) {
	dir := t.TempDir()
	writeSpec(t, dir, "a.yaml", "a", "outside")
	inner := filepath.Join(dir, "inner")
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, family := range []string{"../a", "", "/a", dir + "/a"} {
		if _, name, err := Find(family, []Place{Dir(inner), Places()[1]}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: found %q, error %v", family, name, err)
		}
	}
}
