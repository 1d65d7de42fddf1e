// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

// group returns a command that only has subcommands. Without one of them, its error names them.
func group(name, short, long string, subcommands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: name, Short: short, Long: long, Args: usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			names := make([]string, len(subcommands))
			for i, c := range subcommands {
				names[i] = c.Name()
			}
			last := len(names) - 1
			return usageError{errors.New("missing subcommand; use " + strings.Join(names[:last], ", ") + " or " + names[last])}
		},
	}
	cmd.AddCommand(subcommands...)
	return cmd
}
