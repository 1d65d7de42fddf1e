// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/config/schema"
	"github.com/genltestd/genltestd/daemon"
	"github.com/genltestd/genltestd/daemon/ruletest"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// sinkDir contains the folders of the kinds of sinks.
const sinkDir = "../../daemon/sink"

// pages loads every frame, by the name of its page.
func pages(t *testing.T) map[string]*page {
	t.Helper()
	frames, err := filepath.Glob("*.in")
	if err != nil || len(frames) != 3 {
		t.Fatalf("frames %s, %v", frames, err)
	}
	all := make(map[string]*page)
	for _, frame := range frames {
		p, err := load(frame, sinkDir)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(frame, ".in")] = p
	}
	return all
}

func TestPagesAreUpToDate(t *testing.T) {
	for name, p := range pages(t) {
		committed, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(committed), p.roff); diff != "" {
			t.Errorf("%s is not what make generate writes (-committed +generated):\n%s", name, diff)
		}
	}
}

func TestGenerateWritesThePages(t *testing.T) {
	dir := t.TempDir()
	frame := filepath.Join(dir, "a.1.in")
	if err := os.WriteFile(frame, []byte(".\\\" licence\n.Dd x\n@text\n.a\n@end\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := generate(dir, sinkDir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "a.1"))
	want := ".\\\" licence\n.\\\" Written by \"make generate\" from a.1.in; edit that file.\n" +
		".Dd x\n.ds doc-volume-operating-system Linux\n.Bd -literal -offset indent\n\\&.a\n.Ed\n"
	if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := generate(t.TempDir(), sinkDir); err == nil {
		t.Error("no error for a directory without frames")
	}
}

func TestInvalidFramesAreErrors(t *testing.T) {
	for text, want := range map[string]string{
		"@text\nx\n":         "f.in: no @end of the last example",
		"x\n@keys nothing\n": `f.in:2: no section or kind "nothing"`,
		"x\n@code\n":         "f.in:2: unknown @code",
		"@end\n":             "f.in:1: unknown @end",
		"@metrics none_\n":   "f.in:1: no metric begins with genltestd_none_",
		"x\n@kinds\n":        "f.in:2: file/manual.in:3: unknown @code",
	} {
		kinds := []kindText{{kind: "file", file: "file/manual.in", prose: "Text.\n@code\n"}}
		if _, err := expand("f.in", text, config.Describe(sinks.Kinds()), kinds); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestKindWithoutTextIsAnError(t *testing.T) {
	dir, keys := t.TempDir(), []schema.Key{{Path: "sinks[].new", Variant: "new"}}
	if err := os.Mkdir(filepath.Join(dir, "new"), 0o700); err != nil {
		t.Fatal(err)
	}
	const licence = ".\\\" SPDX-License-Identifier: X\n"
	for text, fault := range map[string]bool{"": true, "Text.\n": true, licence + " \n": true, licence + "Text.\n": false} {
		if text != "" {
			if err := os.WriteFile(filepath.Join(dir, "new", "manual.in"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := loadKinds(dir, keys); (err != nil) != fault {
			t.Errorf("%q: %v", text, err)
		}
		os.Remove(filepath.Join(dir, "new", "manual.in"))
	}
}

func TestPageContainsEveryKey(t *testing.T) {
	roff := pages(t)["genltestd.yaml.5"].roff
	for _, k := range config.Describe(sinks.Kinds()) {
		if n := strings.Count(roff, "\n.It Cm "+literal(k.Path)+"\n"); n != 1 {
			t.Errorf("%s is there %d times", k.Path, n)
		}
	}
}

// The list contains all facts about a key, for each kind of key.
func TestKeyList(t *testing.T) {
	got := keyList([]schema.Key{
		{Path: "a", Type: "mapping", Comment: "About a. And b."},
		{Path: "a.path", Type: "text", Required: true, Restart: true, Example: `C:\-x`, Comment: "Where."},
		{Path: "a.size", Type: "size", Unit: "bytes", Default: "1", Min: "1", Example: "2", Comment: ".both"},
		{Path: "a.time", Type: "duration", Unit: "s", Default: "0", Min: "0", Max: "1h", Example: "5s", Comment: ".both"},
		{Path: "a.word", Type: "word", Words: []string{"x", "y"}, Default: "x", Example: "y", Comment: "Which."},
	})
	want := `.Bl -tag -width Ds
.It Cm a
About a.
And b.
.Pp
Mapping; applied by a reload.
.It Cm a.path
Where.
.Pp
Text; required; applied by a restart only.
.Bd -literal -offset indent -compact
path: C:\e\-x
.Ed
.It Cm a.size
.It Cm a.time
\&.both
.Pp
.Cm size :
Size (bytes) of 1 or more; default 1; applied by a reload.
.Bd -literal -offset indent -compact
size: 2
.Ed
.Pp
.Cm time :
Duration (s) from 0 to 1h; default 0; applied by a reload.
.Bd -literal -offset indent -compact
time: 5s
.Ed
.It Cm a.word
Which.
.Pp
One of x, y; default x; applied by a reload.
.Bd -literal -offset indent -compact
word: y
.Ed
.El
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

func TestFill(t *testing.T) {
	got := fill(strings.Repeat("word-", 20) + ` first. 'second' one is a sentence that does not fit a line of seventy-eight bytes! .`)
	want := strings.Repeat(`word\-`, 20) + `
first.
\(aqsecond\(aq one is a sentence that does not fit a line of seventy\-eight
bytes!
\&.
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("filled (-want +got):\n%s", diff)
	}
}

// faultsOf returns the faults of a configuration, without missing programs and files, which
// the reader has.
func faultsOf(cfg *config.Config) (faults []string) {
	var all config.Errors
	if errors.As(daemon.Check(cfg, daemon.DefaultDirs()), &all) {
		for _, f := range all {
			if !strings.Contains(f.Error(), "no such file or directory") && !daemon.IsUnverifiable(f, false) {
				faults = append(faults, f.Error())
			}
		}
	}
	return faults
}

// The examples work when a reader copies them.
func TestExamplesWork(t *testing.T) {
	count := make(map[string]int)
	for _, p := range pages(t) {
		var cfg *config.Config // of the example before it
		for _, e := range p.examples {
			count[e.kind]++
			switch e.kind {
			case "yaml":
				cfg = loadExample(t, e.at, e.text)
			case "rules":
				passTests(t, e.at, cfg, e.text)
			case "expr":
				for line := range strings.Lines(e.text) {
					loadExample(t, e.at, filtered(line))
				}
			}
		}
	}
	if count["yaml"] < 4 || count["rules"] < 1 || count["expr"] < 1 {
		t.Errorf("examples: %v", count)
	}
}

func loadExample(t *testing.T, at, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse(at, []byte(text), sinks.Kinds())
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	if faults := faultsOf(cfg); faults != nil {
		t.Errorf("%s\nin\n%s", strings.Join(faults, "\n"), text)
	}
	return cfg
}

// filtered is a configuration with a filter, and the captures and the label that the page
// uses.
func filtered(filter string) string {
	return "event: {labels: {site: berlin}}\nsinks:\n- name: out\n  stdout: {}\n" +
		"  extract: (?P<what>error|failure) on (?P<disk>sd[a-z])\n  filter: |\n    " + filter
}

func passTests(t *testing.T, at string, cfg *config.Config, text string) {
	t.Helper()
	tests, err := config.ParseRuleTests(at, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	results, err := ruletest.Run(cfg, tests)
	if err != nil {
		t.Fatal(err)
	}
	for _, differences := range results {
		for _, d := range differences {
			t.Error(d)
		}
	}
}
