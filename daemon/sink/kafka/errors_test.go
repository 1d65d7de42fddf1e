// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocumentationShowsThePolicy(t *testing.T) {
	var want []string
	for _, r := range rows() {
		want = append(want, fmt.Sprintf("| `%s` | %s | %s |", r.err.Message, r.verdict, r.why))
	}
	page, err := os.ReadFile("../../../docs/sinks/kafka.md")
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile("(?m)^\\| `[A-Z_]+` \\| .*$").FindAllString(string(page), -1)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table in docs/sinks/kafka.md (-want +got):\n%s\nwrite:\n%s", diff, strings.Join(want, "\n"))
	}
}

// The client sends a batch again by itself if and only if the table has the verdict resent for
// the error: then the records stay in flight.
func TestRowsAreUnique(t *testing.T) {
	seen := make(map[int16]bool)
	for _, r := range rows() {
		if seen[r.err.Code] {
			t.Errorf("%s is in the table twice", r.err.Message)
		}
		seen[r.err.Code] = true
	}
}
