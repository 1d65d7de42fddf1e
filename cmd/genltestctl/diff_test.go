// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnifiedDiff(t *testing.T) {
	for _, test := range []struct{ name, a, b, want string }{
		{"equal", "a b c", "a b c", ""},
		{"both empty", "", "", ""},
		{"from nothing", "", "a b", "--- A\n+++ B\n@@ -0,0 +1,2 @@\n+a\n+b\n"},
		{"to nothing", "a b", "", "--- A\n+++ B\n@@ -1,2 +0,0 @@\n-a\n-b\n"},
		{
			"context", "1 2 3 4 x 6 7 8 9", "1 2 3 4 y 6 7 8 9",
			"--- A\n+++ B\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-x\n+y\n 6\n 7\n 8\n",
		},
		{
			"two hunks", "a 1 2 3 4 5 6 7 b", "A 1 2 3 4 5 6 7 B",
			"--- A\n+++ B\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n",
		},
		{
			"contexts that touch", "a 1 2 3 4 5 6 b", "A 1 2 3 4 5 6 B",
			"--- A\n+++ B\n@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n",
		},
	} {
		got := strings.Join(append(unifiedDiff("A", "B", strings.Fields(test.a), strings.Fields(test.b)), ""), "\n")
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestPatchAppliesTheDiff checks random texts with the program patch, whose reading of the form counts.
func TestPatchAppliesTheDiff(t *testing.T) {
	patch, err := exec.LookPath("patch")
	if err != nil {
		t.Skip(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	text := func() (lines []string) {
		for range random.IntN(40) {
			lines = append(lines, string(rune('a'+random.IntN(4))))
		}
		return lines
	}
	write := func(path string, lines []string) {
		if err := os.WriteFile(path, []byte(strings.Join(append(lines, ""), "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		a, b := text(), text()
		lines := unifiedDiff("a", "b", a, b)
		if len(lines) == 0 {
			continue
		}
		dir := t.TempDir()
		from, diff, to := filepath.Join(dir, "from"), filepath.Join(dir, "diff"), filepath.Join(dir, "to")
		write(from, a)
		write(diff, lines)
		if out, err := exec.Command(patch, "--posix", "--fuzz=0", "-o", to, from, diff).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s\n%s", err, out, strings.Join(lines, "\n"))
		}
		got, err := os.ReadFile(to)
		if err != nil && len(b) > 0 {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, textLines(got)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}
