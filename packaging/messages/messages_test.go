// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	all, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range render(all) {
		committed, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(committed)); diff != "" {
			t.Errorf("%s differs; run make generate (-want +got):\n%s", file, diff)
		}
	}
}

func TestIDsAreUniqueAndPagesExist(t *testing.T) {
	all, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`^[0-9a-f]{32}$`)
	used, known := map[string]string{}, map[string]bool{}
	for _, g := range all.Groups {
		for _, m := range g.Messages {
			if other, twice := used[m.ID]; twice || !id.MatchString(m.ID) {
				t.Errorf("%q: the id %q is not 32 digits, or is the one of %q", m.Message, m.ID, other)
			}
			if used[m.ID] = m.Message; known[m.Message] {
				t.Errorf("the table contains %q twice", m.Message)
			}
			known[m.Message] = true
			if _, err := os.Stat(filepath.Join(root, m.See)); err != nil {
				t.Errorf("%q: %v", m.Message, err)
			}
		}
	}
}

func TestATableWithFaultsIsAnError(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, tableFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := load(dir); err == nil {
		t.Error("a missing table is not an error")
	}
	if err := os.WriteFile(path, []byte("groups: [{title: a, see: b, messages: [{message: c, when: d}]}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := load(dir); err == nil {
		t.Errorf("a message without an id became %+v", got)
	}
}
