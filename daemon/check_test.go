// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// The position of an error within an expression becomes a position in the file.
func TestCheckReportsThePositionOfAnInvalidExpression(t *testing.T) {
	const text = `sinks:
  - name: good
    filter: kind == "gap" or message matches "^disk (error|failure)"
    extract: 'sd(?P<disk>[a-z])'
    dedup: {window: 1m, key: captures.disk}
    stdout: {}
  - name: pager
    filter: mesage contains "x"
    stdout: {}
  - name: mail
    filter: |
      host == "web-1" and
      captures.unit == "ssh"
    extract: '(?P<disk>'
    dedup:
      window: 1m
      key: seq
    stdout: {}
`
	cfg, err := config.Parse("g.yaml", []byte(text), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	const want = `g.yaml:8:13: sinks[1].filter: unknown name mesage; write message
g.yaml:13:16: sinks[2].filter: unknown capture unit; extract has disk
g.yaml:14:15: sinks[2].extract: error parsing regexp: missing closing ): ` + "`(?P<disk>`" + `
g.yaml:17:12: sinks[2].dedup.key: the expression returns a number, but must return a text; write string(...) around it`
	if diff := cmp.Diff(want, Check(cfg, Dirs{}).Error()); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	cfg.Sinks = cfg.Sinks[:1]
	if err := Check(cfg, Dirs{}); err != nil {
		t.Errorf("good rules: %v", err)
	}
}

func TestCheckReportsThePositionOfAMissingProgram(t *testing.T) {
	cfg := parse(t, "sinks:\n- name: a\n  exec: {argv: [/no/such/program, -v], user: no-such-user}\n")
	want := "test.yaml:3:17: sinks[0].exec.argv[0]: stat /no/such/program: no such file or directory\n" +
		"test.yaml:3:46: sinks[0].exec.user: user: unknown user no-such-user"
	if got := fmt.Sprint(Check(cfg, Dirs{})); got != want {
		t.Errorf("Check\n%s\nwant\n%s", got, want)
	}
}

// One wrong key must not hide a wrong filter further down.
func TestKeyErrorsDoNotHideOtherErrors(t *testing.T) {
	const text = `event: {labels: {site: berlin}}
sinks:
  - name: a
    filterr: x
    filter: kind == "gpa"
    stdout: {}
  - name: b
    filter: labels.sote == "x"
    extract: '(?P<a>x)|(?P<a>y)'
    file: {path: relative}
  - name: c
    extract: 5
    filter: captures.x == "y"
    dedup: {window: 1s, key: "captures.x"}
    stdout: {}
  - name: d
    filter: [1]
    envelope: template
    template: "{{.Foo}}"
    webhook: {url: "htp://x/"}
`
	cfg, err := config.Parse("g.yaml", []byte(text), sinks.Kinds())
	var faults config.Errors
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	var got []string
	for _, f := range CheckRest(cfg, faults, Dirs{}) {
		got = append(got, fmt.Sprintf("%d %s", f.Line, f.Path))
	}
	want := []string{
		"4 sinks[0].filterr", "5 sinks[0].filter", "8 sinks[1].filter", "9 sinks[1].extract", "10 sinks[1].file.path",
		"12 sinks[2].extract", "17 sinks[3].filter", "19 sinks[3].template", "20 sinks[3].webhook.url",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A syntax error with a remedy must not hide other faults, except those in the lines that the
// remedy changes: their columns would be wrong.
func TestSyntaxErrorsDoNotHideOtherErrors(t *testing.T) {
	const text = `log:
  level=loud
sinks:
  - name: a
    filter: kind == "gpa"
    stdout: {}
  - name: b
    filter: "x" in labels.site
    extract: '(?P<a>'
    fiel: {path: relative}
`
	cfg, err := config.Parse("g.yaml", []byte(text), sinks.Kinds())
	var faults config.Errors
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	var got []string
	for _, f := range CheckRest(cfg, faults, Dirs{}) {
		got = append(got, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Path))
	}
	want := []string{"2:8 log", "5:21 sinks[0].filter", "8:17 ", "9:15 sinks[1].extract", "10:5 sinks[1].fiel"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A remedy that changes which keys belong together may not be what the author intended.
func TestIndentationErrorIsReportedAlone(t *testing.T) {
	const text = "log:\n  level: info\n http:\n  listen: \"\"\n"
	_, err := config.Parse("g.yaml", []byte(text), sinks.Kinds())
	var faults config.Errors
	if !errors.As(err, &faults) || len(faults) != 1 || faults[0].Line != 3 {
		t.Errorf("got %v, want the fault of line 3 alone", err)
	}
}

func TestNumberOfReportedErrorsIsLimited(t *testing.T) {
	text := "sinks:\n"
	for i := range 150 {
		text += fmt.Sprintf("- {name: s%d, filter: nonsense, stdout: {}}\n", i)
	}
	for what, more := range map[string]string{"rules only": "", "the text too": "- {name: bad, fiel: {}}\n"} {
		cfg, err := config.Parse("g.yaml", []byte(text+more), sinks.Kinds())
		var faults config.Errors
		errors.As(err, &faults)
		got := CheckRest(cfg, faults, Dirs{})
		if len(got) != 101 || got[100].Message != "100 faults; any more are not shown" {
			t.Errorf("%s: %d faults, the last is %v", what, len(got), got[len(got)-1])
		}
	}
}

// A specification can be corrected while the daemon runs, so its fault does not prevent a start.
func TestCheckReportsTheFaultsOfSpecifications(t *testing.T) {
	spec := filepath.Join(t.TempDir(), "linkflap.yaml")
	if err := os.WriteFile(spec, []byte("name: linkflap\nprotcol: genetlink\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := parse(t, "families:\n- {name: linkflap, spec: "+spec+"}\n- {name: a, spec: /no/such/file}\n")
	want := spec + `:2:1: protcol: unknown key; did you mean "protocol"?` + "\n" +
		"test.yaml:3:19: families[1].spec: cannot read the specification: open /no/such/file: no such file or directory"
	if got := fmt.Sprint(Check(cfg, Dirs{})); got != want {
		t.Errorf("Check\n%s\nwant\n%s", got, want)
	}
	if checked, _ := check(cfg, nil, Dirs{}); len(checked.Invalid) > 0 {
		t.Errorf("the faults prevent a start: %v", checked.Invalid)
	}
}
