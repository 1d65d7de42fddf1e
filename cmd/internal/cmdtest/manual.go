// SPDX-License-Identifier: Apache-2.0

package cmdtest

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var (
	exitStatus = regexp.MustCompile(`\b\d+\b`)
	optionLine = regexp.MustCompile(`(?m)^ +(?:-([a-z]),)? +--([a-z-]+)`)
)

// CheckManual reports each command and option of root, and each exit status that its
// description names, that the manual page in file does not explain.
func CheckManual(t *testing.T, root *cobra.Command, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(text), `\-`, "-")
	eachCommand(root, func(c *cobra.Command) {
		path := strings.TrimPrefix(c.CommandPath(), root.Name()+" ")
		aShell := c.HasParent() && c.Parent().Name() == "completion"
		if !c.HasSubCommands() && !aShell && !strings.Contains(page, "\n.It Cm "+path) {
			t.Errorf("%s lacks the command %q", file, path)
		}
		checkOptions(t, c, file, page)
		_, statuses, _ := strings.Cut(c.Long, "Exit status: ")
		for _, status := range exitStatus.FindAllString(statuses, -1) {
			if !strings.Contains(page, "\n.It "+status+"\n") {
				t.Errorf("%s lacks the exit status %s of %q", file, status, path)
			}
		}
	})
	if _, statuses, _ := strings.Cut(root.Long, "Exit status: "); len(exitStatus.FindAllString(statuses, -1)) < 5 {
		t.Errorf("the description of %s names few exit statuses: %q", root.Name(), statuses)
	}
}

func checkOptions(t *testing.T, c *cobra.Command, file, page string) {
	t.Helper()
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	for _, m := range optionLine.FindAllStringSubmatch(c.LocalFlags().FlagUsages(), -1) {
		if !strings.Contains(page, "Fl -"+m[2]) {
			t.Errorf("%s lacks --%s of %q", file, m[2], c.CommandPath())
		}
		if m[1] != "" && !strings.Contains(page, "Fl "+m[1]+" ") {
			t.Errorf("%s lacks -%s of %q", file, m[1], c.CommandPath())
		}
	}
}

func eachCommand(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, child := range c.Commands() {
		eachCommand(child, do)
	}
}
