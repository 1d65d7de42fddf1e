// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sinks"
)

func TestFilesAreUpToDate(t *testing.T) {
	const root = "../.."
	files, err := generate(root)
	if err != nil || len(files) != 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for name, text := range files {
		committed, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(committed), string(text)); diff != "" {
			t.Errorf("%s differs from the output of make generate (-committed +generated):\n%s", name, diff)
		}
	}
}

func TestPageWithoutTheMarksIsRejected(t *testing.T) {
	if _, err := withKinds([]byte("# A page\n"), "", sinks.Kinds()); err == nil {
		t.Error("no error")
	}
}

func TestKindTable(t *testing.T) {
	got := kindTable("docs/sinks/", []sink.Kind{{Name: "b", Summary: "does that"}, {Name: "a", Summary: "does this"}})
	want := "| kind | function |\n| --- | --- |\n| [`a`](docs/sinks/a.md) | does this |\n| [`b`](docs/sinks/b.md) | does that |\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}
