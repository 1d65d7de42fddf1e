// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDashboardIsUpToDate(t *testing.T) {
	want, err := render()
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../grafana/genltestd.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(committed)); diff != "" {
		t.Errorf("genltestd.json differs; run make generate (-want +got)\n%s", diff)
	}
}

func TestPanelsDoNotOverlap(t *testing.T) {
	taken := map[[2]int]string{}
	for _, p := range build().Panels {
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= width {
					t.Fatalf("%s is at %+v, where %q is", p.Title, p.GridPos, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}
