// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var (
	exitStatus = regexp.MustCompile(`\d+`)
	optionLine = regexp.MustCompile(`(?m)^ +(?:-([a-z]),)? +--([a-z-]+)`)
)

// Every command and option is in the manual page, and every exit status.
func TestTheManualNamesEveryCommand(t *testing.T) {
	text, err := os.ReadFile("../../packaging/man/genltestctl.1")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(text), `\-`, "-")
	root := (&session{output: outputText}).command()
	root.InitDefaultCompletionCmd()
	eachCommand(root, func(c *cobra.Command) {
		path := strings.TrimPrefix(c.CommandPath(), "genltestctl ")
		aShell := c.HasParent() && c.Parent().Name() == "completion"
		if !c.HasSubCommands() && !aShell && !strings.Contains(page, "\n.It Cm "+path) {
			t.Errorf("genltestctl(1) has no command %q", path)
		}
		c.InitDefaultHelpFlag()
		c.InitDefaultVersionFlag()
		for _, m := range optionLine.FindAllStringSubmatch(c.LocalFlags().FlagUsages(), -1) {
			if !strings.Contains(page, "Fl -"+m[2]) {
				t.Errorf("genltestctl(1) has no --%s of %q", m[2], path)
			}
			if m[1] != "" && !strings.Contains(page, "Fl "+m[1]+" ") {
				t.Errorf("genltestctl(1) has no -%s of %q", m[1], path)
			}
		}
	})
	_, statuses, _ := strings.Cut(description, "Exit status: ")
	for _, status := range exitStatus.FindAllString(statuses, -1) {
		if !strings.Contains(page, "\n.It "+status+"\n") {
			t.Errorf("genltestctl(1) has no exit status %s", status)
		}
	}
}

func eachCommand(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, child := range c.Commands() {
		eachCommand(child, do)
	}
}
