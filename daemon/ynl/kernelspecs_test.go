// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/config/strict"
)

// kernelSpecs returns the files of the kernel's own specifications: those of the source of
// Linux in GENLTEST_LINUX, or those that the distribution has installed. Their text must not
// become a part of this tree, so the test is skipped without them.
func kernelSpecs(t *testing.T) []string {
	t.Helper()
	dir := "/" + installedDirs[0]
	if linux := os.Getenv("GENLTEST_LINUX"); linux != "" {
		dir = filepath.Join(linux, "Documentation/netlink/specs")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("the kernel's specifications are not installed; set GENLTEST_LINUX to the source of Linux, such as linux-source of Debian")
	}
	return files
}

func TestSpecificationsOfTheKernelHaveNoFault(t *testing.T) {
	parsed := 0
	for _, name := range kernelSpecs(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		spec, err := ParseInstalled(name, text)
		if strings.Contains(string(text), "\nprotocol: netlink-raw") {
			if err == nil || !strings.Contains(err.Error(), `"netlink-raw" is not known`) {
				t.Errorf("%s: the protocol netlink-raw is accepted: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		for _, w := range spec.Warnings {
			t.Logf("warning: %v", w)
		}
		var d Decoder
		for command := range 256 {
			if _, err := d.Decode(spec, payload(uint8(command), nla(1, u32(1)), nla(2, nla(1, u64(1))))); err != nil {
				continue // the bytes do not match the types
			}
		}
		parsed++
	}
	if parsed < 10 {
		t.Errorf("%d specifications were parsed", parsed)
	}
}

// exceptions are our differences from the kernel's specifications, with their reasons.
var exceptions = map[string]string{
	"devlink devlink region-chunk":    "a message contains one for each chunk",
	"devlink devlink region-snapshot": "a message contains one for each snapshot",
	"ethtool cable-nest fault-length": "a message contains one for each pair of wires",
	"ethtool cable-nest result":       "a message contains one for each pair of wires",
	"mptcp_pm event-attr if-idx":      "the kernel sends a signed number",
	"nlctrl policy-attrs mask":        "the header of the kernel has the number 12",
	"nlctrl policy-attrs pad":         "the header of the kernel has the number 11",
}

// Our specifications have the names, numbers and types of the kernel's.
func TestSpecificationsAgreeWithThoseOfTheKernel(t *testing.T) {
	compared := 0
	for _, name := range kernelSpecs(t) {
		family := strings.TrimSuffix(filepath.Base(name), ".yaml")
		if _, err := fs.Stat(embedded, "specs/"+family+".yaml"); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		ours, theirs := attributesOf(mustReadFile(t, family)), attributesOf(mustReadKernelFile(t, name))
		sets := make(map[string]bool)
		for key := range theirs {
			set, _, _ := strings.Cut(key, " ")
			sets[set] = true
		}
		for _, key := range slices.Sorted(maps.Keys(ours)) {
			set, _, _ := strings.Cut(key, " ")
			if !sets[set] || exceptions[family+" "+key] != "" {
				continue
			}
			compared++
			if want, ok := theirs[key]; !ok {
				t.Logf("%s: the kernel's specification does not contain %s", family, key)
			} else if ours[key] != want {
				t.Errorf("%s %s: %s, and in the kernel's specification %s", family, key, ours[key], want)
			}
		}
	}
	if compared < 100 {
		t.Errorf("only %d attributes and commands were compared", compared)
	}
}

func mustReadKernelFile(t *testing.T, name string) *file {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var f file
	strict.SetDefaults(&f)
	r := strict.NewReport(name, &strict.Costs{}, nil)
	r.Tolerate()
	if r.Decode(text, &f, ""); strict.Err(r) != nil {
		t.Fatal(strict.Err(r))
	}
	return &f
}

// attributesOf returns the number and type of each attribute, by its set and name.
func attributesOf(f *file) map[string]string {
	all := make(map[string]string)
	for _, set := range f.AttributeSets {
		if set.SubsetOf != "" {
			continue
		}
		next := uint64(1)
		for _, a := range set.Attributes {
			number := a.Value.or(next)
			next = number + 1
			if a.Type == "unused" {
				continue
			}
			description := fmt.Sprintf("%d of type %s%s", number, a.Type, a.Order)
			if a.Multi {
				description += ", several times"
			}
			if a.SubType != "" {
				description += " of " + string(cmp.Or(a.SubType, typeName(a.Nested)))
			}
			all[string(set.Name)+" "+string(a.Name)] = description
		}
	}
	return all
}
