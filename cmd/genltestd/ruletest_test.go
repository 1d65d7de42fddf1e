// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// documented returns the first block of the page with this language and this beginning.
func documented(t *testing.T, language, begin string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/filters.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?ms)^```" + language + "\n(" + begin + ".*?)^```$").FindSubmatch(page)
	if m == nil {
		t.Fatalf("docs/filters.md has no block %s", language)
	}
	return string(m[1])
}

func TestDocumentedRuleTestsPass(t *testing.T) {
	cfg, tests := write(t, documented(t, "yaml", "")), write(t, documented(t, "yaml tests", ""))
	code, stdout, stderr := execute(t, "--config", cfg, "--test-rules", tests)
	if code != 0 || stdout != "2 tests, 0 failed\n" || stderr != "" {
		t.Errorf("status %d, %q, %q", code, stdout, stderr)
	}
}

func TestDocumentedRuleTestsOfFamiliesPass(t *testing.T) {
	cfg, tests := write(t, documented(t, "yaml", "families:")), write(t, documented(t, "yaml tests of families", ""))
	code, stdout, stderr := execute(t, "--config", cfg, "--test-rules", tests)
	if code != 0 || stdout != "1 test, 0 failed\n" || stderr != "" {
		t.Errorf("status %d, %q, %q", code, stdout, stderr)
	}
}

func TestDocumentedDifferenceMatchesTheOutput(t *testing.T) {
	cfg := write(t, strings.Replace(documented(t, "yaml", ""), `captures.disk != ""`, `captures.disk == "sdz"`, 1))
	tests := write(t, documented(t, "yaml tests", ""))
	code, stdout, stderr := execute(t, "--config", cfg, "--test-rules", tests)
	first, _, _ := strings.Cut(strings.ReplaceAll(stdout, tests, "rules.yaml"), "\n")
	if page, err := os.ReadFile("../../docs/filters.md"); err != nil || !strings.Contains(string(page), "\n"+first+"\n") {
		t.Errorf("docs/filters.md does not have %q", first)
	}
	if code != 1 || !strings.HasSuffix(stdout, "\n2 tests, 2 failed\n") || stderr != "" {
		t.Errorf("status %d, %q, %q", code, stdout, stderr)
	}
}

func TestInvalidRuleTests(t *testing.T) {
	good := write(t, "sinks:\n- name: out\n  filter: seq > 0\n  stdout: {}\n")
	tests := []struct {
		name, config, file string
		code               int
		want               string
	}{
		{"no file", good, "/nonexistent/tests.yaml", 66, "/nonexistent/tests.yaml: no such file or directory"},
		{"a fault of the tests", good, write(t, "- nam: x\n"), 78, `:1:3: tests[0].nam: unknown key; did you mean "name"?`},
		{
			"an unknown sink", good, write(t, "- name: x\n  events: [{sinks: [out, pager]}]\n"), 78,
			`:2:26: tests[0].events[0].sinks[1]: the configuration has no sink "pager"`,
		},
		{
			"a fault of the rules", write(t, "sinks:\n- name: out\n  filter: seq > x\n  stdout: {}\n"),
			write(t, "- name: x\n  events: [{}]\n"), 78,
			":3:17: sinks[0].filter: unknown name x",
		},
		{"no configuration", "/nonexistent/genltestd.yaml", write(t, ""), 78, "/nonexistent/genltestd.yaml: no such file or directory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := execute(t, "--config", test.config, "--test-rules", test.file)
			if code != test.code || !strings.Contains(stderr, test.want) || stdout != "" {
				t.Errorf("status %d, %q, %q; want %d, %q", code, stdout, stderr, test.code, test.want)
			}
		})
	}
}

// The output contains text of the tests, the configuration and events.
func TestDifferencesAreSafeForATerminal(t *testing.T) {
	cfg := write(t, "sinks:\n- name: out\n  filter: int(message) > 0\n  extract: '(?P<all>.*)'\n  stdout: {}\n")
	tests := write(t, `- name: "\e[31m"
  events:
    - message: "\e[31m\u202e"
      captures: [{sink: out, name: all, value: "\e]0;x"}]
`)
	_, stdout, _ := execute(t, "--config", cfg, "--test-rules", tests)
	for _, r := range stdout {
		if r != '\n' && (r < ' ' || r == 0x202e) {
			t.Errorf("%U is not escaped in %q", r, stdout)
		}
	}
	want := tests + `:3:7: tests[0].events[0]: "\x1b[31m": sink out: filter fails: column 1: invalid operation: int(\x1b[31m\u202e)
` + tests + `:3:7: tests[0].events[0]: "\x1b[31m": sink out: expected 1 filtered, got 1 passed
` + tests + `:3:7: tests[0].events[0]: "\x1b[31m": sink out: expected "\x1b]0;x" for captures.all, got "\x1b[31m\u202e"
1 test, 1 failed
`
	if diff := cmp.Diff(want, stdout); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}
