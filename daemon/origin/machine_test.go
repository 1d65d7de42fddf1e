// SPDX-License-Identifier: Apache-2.0

package origin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestThisMachineIsKnown(t *testing.T) {
	m, err := ThisMachine()
	if m.Boot.Release == "" || !isID(m.Boot.ID) {
		t.Errorf("boot %+v, %v", m.Boot, err)
	}
	if m.ID != "" && !isID(m.ID) {
		t.Errorf("machine id %q", m.ID)
	}
}

func TestReadID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "id")
	for text, want := range map[string]string{
		"c1f0fdd2-a9f5-4ffc-bd33-c49f0a2c1f9b\n": "c1f0fdd2a9f54ffcbd33c49f0a2c1f9b",
		"b08dfa6083e7567a1921a715000001fb\n":     "b08dfa6083e7567a1921a715000001fb",
		"b08dfa6083e7567a1921a715000001fb":       "b08dfa6083e7567a1921a715000001fb",
		"":                                       "",
		"uninitialized\n":                        "",
		"B08DFA6083E7567A1921A715000001FB\n":     "",
		"b08dfa6083e7567a1921a715000001fb\n\n":   "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readID(path)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is read as %q, %v", text, got, err)
		}
	}
}

// The unit hides the kernel's file, and passes its contents in a variable.
func TestTheBootIDOfTheUnitIsUsed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "boot_id")
	const id = "c1f0fdd2a9f54ffcbd33c49f0a2c1f9b"
	for given, want := range map[string]string{"": "", "%b": "", id + "\n": "", id: id} {
		t.Setenv(BootIDVariable, given)
		if got, err := readBootID(missing); got != want || (err == nil) != (want != "") {
			t.Errorf("with %q the id is %q, %v", given, got, err)
		}
	}
	if err := os.WriteFile(missing, []byte(strings.Repeat("a", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(BootIDVariable, id)
	if got, _ := readBootID(missing); got != strings.Repeat("a", 32) {
		t.Errorf("got %q, want the contents of the kernel's file", got)
	}
	unit, err := os.ReadFile("../../packaging/systemd/genltestd.service.in")
	if err != nil || !strings.Contains(string(unit), "\nEnvironment="+BootIDVariable+"=%b\n") {
		t.Errorf("the unit does not set %s: %v", BootIDVariable, err)
	}
}
