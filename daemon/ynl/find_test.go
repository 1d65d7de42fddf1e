// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

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
	if _, err := Embedded("unknown"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown family: %v", err)
	}
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

// The module's specification is the one for developers; ours contains its events.
func TestOurSpecificationOfTheModuleAgreesWithIt(t *testing.T) {
	const module = "../../kmod/genltest.yaml"
	if diff := gocmp.Diff(attributesOf(mustReadKernelFile(t, module)), attributesOf(mustReadFile(t, "genltest"))); diff != "" {
		t.Errorf("attributes (-module +ours)\n%s", diff)
	}
	theirs, err := Load(module)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := Embedded("genltest")
	if err != nil {
		t.Fatal(err)
	}
	for number := range 256 {
		if want, got := theirs.Command(uint8(number)), ours.Command(uint8(number)); got != want {
			t.Errorf("command %d is %q in the module, and %q in ours", number, want, got)
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
		names = append(names, p.name)
		if p.isInstalled != strings.HasPrefix(p.name, "/usr/") {
			t.Errorf("%s: isInstalled is %t", p.name, p.isInstalled)
		}
	}
	want := "/etc/genltestd/specs built-in /usr/share/ynl/specs /usr/local/share/ynl/specs " +
		"/usr/share/doc/linux-doc-*/Documentation/netlink/specs"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("places %s", got)
	}
}

// mustCompress replaces a file by its compressed form.
func mustCompress(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err = w.Write(text)
	if err := cmp.Or(err, w.Close(), os.WriteFile(name+".gz", b.Bytes(), 0o600), os.Remove(name)); err != nil {
		t.Fatal(err)
	}
}

func TestSpecificationsOfPackagesOfDocumentation(t *testing.T) {
	root := t.TempDir()
	for _, p := range []struct{ version, family string }{
		{"linux-doc-6.9", "a"}, {"linux-doc-6.12", "a"}, {"linux-doc-6.9", "b"}, {"kernel-doc-6.1", "c"}, {"other-7.0", "a"},
	} {
		dir := filepath.Join(root, docDir, p.version, specsDir)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		writeSpec(t, dir, p.family+".yaml", p.family, p.version[:5]+strings.ReplaceAll(p.version[5:], ".", "_"))
		if p.family != "b" {
			mustCompress(t, filepath.Join(dir, p.family+".yaml"))
		}
	}
	for family, want := range map[string]string{"a": "linux-doc-6_12", "b": "linux-doc-6_9", "c": "kernel-doc-6_1"} {
		spec, name, err := Find(family, installedPlaces(root))
		if err != nil || spec.Command(1) != want {
			t.Errorf("%s: command %q in %s, error %v, want %q", family, spec.Command(1), name, err, want)
		}
	}
	if _, _, err := Find("x", installedPlaces(root)); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown family: %v", err)
	}
	broken := filepath.Join(root, docDir, "linux-doc-7.3", specsDir)
	if err := os.MkdirAll(broken, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, "a.yaml.gz"), []byte("name: a"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := Find("a", installedPlaces(root))
	if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "a.yaml.gz") {
		t.Errorf("a file that is not compressed: %v", err)
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
		if _, name, err := Find(family, []Place{Dir(inner), builtIn()}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: found %q, error %v", family, name, err)
		}
	}
}
