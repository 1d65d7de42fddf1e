// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A kind without its line in the list would be missing everywhere.
func TestEveryKindIsListed(t *testing.T) {
	paths, err := filepath.Glob("../sink/*/reference.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, path := range paths {
		want = append(want, filepath.Base(filepath.Dir(path)))
	}
	for _, kind := range Kinds() {
		got = append(got, kind.Name)
		if kind.Summary == "" {
			t.Errorf("%s has no summary", kind.Name)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds (-folders +listed):\n%s", diff)
	}
}
