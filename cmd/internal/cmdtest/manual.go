// SPDX-License-Identifier: Apache-2.0

package cmdtest

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	exitStatus = regexp.MustCompile(`\b\d+\b`)
	optionLine = regexp.MustCompile(`(?m)^ +(?:-([a-z]),)? +--([a-z-]+)`)
)

// A Description is a command as its help describes it.
type Description struct {
	Path   string // below the program; its name for the program itself
	Long   string
	Usages string // a line for each option
	Listed bool   // the page has an entry for the command
}

// CheckManual reports each command, option and exit status in descriptions that the manual page in
// file does not explain. The first command is the program.
func CheckManual(t *testing.T, commands []Description, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(text), `\-`, "-")
	for _, c := range commands {
		if c.Listed && !strings.Contains(page, "\n.It Cm "+c.Path) {
			t.Errorf("%s lacks the command %q", file, c.Path)
		}
		checkOptions(t, c, file, page)
		for _, status := range c.statuses() {
			if !strings.Contains(page, "\n.It "+status+"\n") {
				t.Errorf("%s lacks the exit status %s of %q", file, status, c.Path)
			}
		}
	}
	if statuses := commands[0].statuses(); len(statuses) < 5 {
		t.Errorf("the description of %s names few exit statuses: %q", commands[0].Path, statuses)
	}
}

// statuses returns the exit statuses that the description names.
func (c *Description) statuses() []string {
	_, statuses, _ := strings.Cut(c.Long, "Exit status: ")
	return exitStatus.FindAllString(statuses, -1)
}

func checkOptions(t *testing.T, c Description, file, page string) {
	t.Helper()
	options := optionLine.FindAllStringSubmatch(c.Usages, -1)
	if len(options) == 0 || len(options) != strings.Count(c.Usages, "\n") {
		t.Errorf("%q has the options %q, of which %d are recognized", c.Path, c.Usages, len(options))
	}
	for _, m := range options {
		if !strings.Contains(page, "Fl -"+m[2]) {
			t.Errorf("%s lacks --%s of %q", file, m[2], c.Path)
		}
		if m[1] != "" && !strings.Contains(page, "Fl "+m[1]+" ") {
			t.Errorf("%s lacks -%s of %q", file, m[1], c.Path)
		}
	}
}
