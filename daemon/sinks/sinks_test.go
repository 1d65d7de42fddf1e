// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"path/filepath"
	"slices"
	"strings"
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

// A word of another program that is the name of a kind would lead to the wrong kind.
func TestNoWordOfAKindIsTheNameOfAKind(t *testing.T) {
	names := make(map[string]bool)
	for _, kind := range Kinds() {
		names[kind.Name] = true
	}
	for _, kind := range Kinds() {
		for _, words := range kind.Words {
			for word := range strings.FieldsSeq(words.Words) {
				if names[word] {
					t.Errorf("%q is a word for %s and the name of a kind", word, kind.Name)
				}
			}
		}
	}
}
