// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

type optional struct {
	Doc  string   `yaml:"doc" null:"true" default:"x"`
	Name string   `yaml:"name"`
	List []string `yaml:"list" null:"true"`
}

// decodeOptional returns the value, the faults and the warnings of a text.
func decodeOptional(text string, tolerate bool) (v optional, faults, warnings string) {
	SetDefaults(&v)
	r := NewReport("f", &Costs{}, nil)
	if tolerate {
		r.Tolerate()
	}
	r.Decode([]byte(text), &v, "")
	r.Check(&v)
	if err := Err(r); err != nil {
		faults = err.Error()
	}
	if len(r.Warnings) > 0 {
		warnings = r.Warnings.Error()
	}
	return v, faults, warnings
}

func TestKeyWithTheTagNullMayHaveNoValue(t *testing.T) {
	v, faults, _ := decodeOptional("doc:\nlist: ~\nname: m\n", false)
	if diff := cmp.Diff(optional{Doc: "x", Name: "m"}, v); diff != "" || faults != "" {
		t.Errorf("faults %q, value (-want +got)\n%s", faults, diff)
	}
	if _, faults, _ := decodeOptional("name:\ndoc: d\n", false); faults == "" {
		t.Error("another key without a value is accepted")
	}
}

func TestTolerantReportWarnsOfUnknownKeys(t *testing.T) {
	const want = `f:1:1: naem: unknown key; did you mean "name"?`
	if _, faults, warnings := decodeOptional("naem: x\n", false); faults != want || warnings != "" {
		t.Errorf("faults %q, warnings %q", faults, warnings)
	}
	v, faults, warnings := decodeOptional("naem: x\nname: m\n", true)
	if faults != "" || warnings != want || v.Name != "m" {
		t.Errorf("faults %q, warnings %q, value %+v", faults, warnings, v)
	}
}
