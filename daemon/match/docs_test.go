// SPDX-License-Identifier: Apache-2.0

package match

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func filtersPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/filters.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var exprBlock = regexp.MustCompile("(?ms)^```expr\n(.*?)^```$")

func TestDocumentedExpressionsWork(t *testing.T) {
	n := 0
	for _, block := range exprBlock.FindAllStringSubmatch(filtersPage(t), -1) {
		for line := range strings.Lines(block[1]) {
			n++
			r := mustCompile(t, Options{Filter: line, Extract: `(?P<what>error|failure) on (?P<disk>sd[a-z])`})
			evaluate(t, r, newEvent(1, 0, "disk failure on sda,97"))
		}
	}
	if n < 8 {
		t.Errorf("%d expressions", n)
	}
}

func TestDocumentationNamesEveryFunctionAndReason(t *testing.T) {
	page := filtersPage(t)
	for _, list := range [][]string{functions, methods, Reasons()} {
		for _, name := range list {
			if !regexp.MustCompile("`" + name + "[`(]").MatchString(page) {
				t.Errorf("%s is not in docs/filters.md", name)
			}
		}
	}
}

func TestManualNamesEveryFunctionAndReason(t *testing.T) {
	page, err := os.ReadFile("../../packaging/man/genltestd.yaml.5")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Concat(functions, methods) {
		if !regexp.MustCompile(`(?m)^\.Fn ` + name + `( [,.;])?$`).Match(page) {
			t.Errorf("%s is not in genltestd.yaml(5)", name)
		}
	}
	for _, reason := range Reasons() {
		if !strings.Contains(string(page), "\n.Cm "+reason+"\n") && !strings.Contains(string(page), "\n.Cm "+reason+" ,\n") {
			t.Errorf("%s is not in genltestd.yaml(5)", reason)
		}
	}
}

func TestDocumentedSummaryMatchesTheOutput(t *testing.T) {
	r := mustCompile(t, Options{RateLimit: RateLimit{Events: 1, Per: 4 * time.Second}})
	for seq := range uint64(5) {
		e := newEvent(5+seq, time.Duration(seq)*time.Second, "x")
		e.JournalID = "6a9155caa46c7dcc"
		evaluate(t, r, e)
	}
	for _, e := range r.Summaries(nil, start, true) {
		if line := string(e.AppendJSON(nil)); !strings.Contains(filtersPage(t), "\n"+line+"\n") {
			t.Errorf("docs/filters.md does not have %s", line)
		}
	}
}
