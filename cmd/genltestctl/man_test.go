// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
)

func TestManualNamesEveryCommand(t *testing.T) {
	root := (&session{output: outputText}).command()
	root.InitDefaultCompletionCmd()
	cmdtest.CheckManual(t, described(root), "../../packaging/man/genltestctl.1")
}

// described returns a command and all below it.
func described(c *cobra.Command) []cmdtest.Description {
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	aShell := c.HasParent() && c.Parent().Name() == "completion"
	all := []cmdtest.Description{{
		Path: strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" "), Long: c.Long, Usages: c.LocalFlags().FlagUsages(),
		Listed: !c.HasSubCommands() && !aShell,
	}}
	for _, below := range c.Commands() {
		all = append(all, described(below)...)
	}
	return all
}
