// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPageIsUpToDate(t *testing.T) {
	committed, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := render(string(committed))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(committed)); diff != "" {
		t.Errorf("docs/metrics.md differs; run make generate (-want +got):\n%s", diff)
	}
}

func TestPageWithoutTheMarksIsAnError(t *testing.T) {
	for _, page := range []string{"", begin, end, end + begin} {
		if got, err := render(page); err == nil {
			t.Errorf("%q became %q", page, got)
		}
	}
}
