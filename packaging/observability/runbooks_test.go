// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	runbooks = "../../docs/runbooks/"
	page     = "../../docs/observability.md"
	baseURL  = "https://github.com/genltestd/genltestd/blob/main/docs/runbooks/"
)

func TestEachAlertHasARunbook(t *testing.T) {
	var want, got []string
	for _, a := range alerts(t) {
		want = append(want, a.Alert+".md")
		if a.Annotations["runbook_url"] != baseURL+a.Alert+".md" {
			t.Errorf("%s links to %q", a.Alert, a.Annotations["runbook_url"])
		}
	}
	for _, path := range glob(t, runbooks+"*.md") {
		got = append(got, filepath.Base(path))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("runbooks (-alerts +files)\n%s", diff)
	}
}

// Who is paged must see in the text which host, sink, family and reason the alert is about.
func TestAnnotationsNameTheObject(t *testing.T) {
	for _, a := range alerts(t) {
		text := a.Annotations["summary"] + a.Annotations["description"]
		for metric, label := range map[string]string{
			`genltestd_`: "instance", `genltestd_sink_`: "sink", `_family_fault|_subscribed|_events_lost|_refused_total`: "family",
			`_fault{|_lost_total|_dropped_total\[|_refused_total`: "reason",
		} {
			if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) {
				t.Errorf("%s has the severity %q", a.Alert, a.Labels["severity"])
			}
			perHost := strings.Contains(a.Expr, "instance:genltestd_events_missed")
			fixed := label == "reason" && regexp.MustCompile(`{reason="(absent|echo|spec)"}`).MatchString(a.Expr)
			if regexp.MustCompile(metric).MatchString(a.Expr) && !perHost && !fixed && !strings.Contains(text, "$labels."+label+" ") {
				t.Errorf("the annotations of %s do not name the %s", a.Alert, label)
			}
		}
	}
}

// The table of alerts contains the rules' own words.
func TestThePageListsTheAlerts(t *testing.T) {
	var want strings.Builder
	want.WriteString("| alert | severity | after |\n| --- | --- | --- |\n")
	for _, a := range alerts(t) {
		after := a.For
		if after == "" {
			after = "at once"
		}
		fmt.Fprintf(&want, "| [%s](runbooks/%[1]s.md) | %s | %s |\n", a.Alert, a.Labels["severity"], after)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "<!-- begin alerts -->\n")
	table, _, _ = strings.Cut(table, "<!-- end alerts -->\n")
	if diff := cmp.Diff(want.String(), table); diff != "" {
		t.Errorf("alerts in %s (-want +got)\n%s", page, diff)
	}
}

var (
	command = regexp.MustCompile("(?m)(?:^[#$] |`|[|] )((?:genltestctl|genltestd) [^`|\n]+)")
	flag    = regexp.MustCompile(`^-{1,2}[a-z]`)
	word    = regexp.MustCompile(`^[a-z]+$`)
)

// build builds the two commands, and returns their directory.
func build(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", dir, "../../cmd/genltestd", "../../cmd/genltestctl")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

// checkCommand compares a command line with the help of the command. Words in lower case that follow
// the name are subcommands.
func checkCommand(dir, line string) error {
	words := strings.Fields(line)
	n := 1
	for n < len(words) && word.MatchString(words[n]) {
		n++
	}
	out, err := exec.Command(filepath.Join(dir, words[0]), append(slices.Clone(words[1:n]), "--help")...).CombinedOutput()
	help := string(out)
	if usage := regexp.MustCompile(`(?m)^  ` + strings.Join(words[:n], " ") + `( |$)`); err != nil || !usage.MatchString(help) {
		return fmt.Errorf("%s: unknown command", line)
	}
	for _, w := range words[n:] {
		if flag.MatchString(w) && !regexp.MustCompile(`(?m)(^|[ ,])`+w+`[ ,]`).MatchString(help) {
			return fmt.Errorf("%s: unknown option %s", line, w)
		}
	}
	return nil
}

func TestCommandsOfTheRunbooksExist(t *testing.T) {
	dir, checked := build(t), map[string]bool{}
	for _, path := range append(glob(t, runbooks+"*.md"), page) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			line := strings.TrimSpace(m[1])
			if checked[line] {
				continue
			}
			checked[line] = true
			if err := checkCommand(dir, line); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	if len(checked) < 10 {
		t.Errorf("found only %d commands", len(checked))
	}
	for _, line := range []string{
		"genltestctl missing", "genltestctl dlq missing x", "genltestd journal verify --missing", "genltestd --missing",
	} {
		if checkCommand(dir, line) == nil {
			t.Errorf("%s: the test accepts it", line)
		}
	}
}
