// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/daemon/control/api"
)

const logLevelHelp = `Print the level from which on the daemon logs, or change it until the next reload or restart.

LEVEL is debug, info, warn or error. The key log.level of the configuration contains the
level that a reload or a restart restores. Only an operator can change the level.`

func (s *session) logLevel() *cobra.Command {
	levels := []cobra.Completion{"debug", "info", "warn", "error"}
	return &cobra.Command{
		Use: "log-level [LEVEL]", Short: "Print or change the level of the daemon's log", Long: logLevelHelp,
		Args:              usageArgs(cobra.MaximumNArgs(1)),
		ValidArgsFunction: cobra.FixedCompletions(levels, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			level, err := s.changeLogLevel(cmd.Context(), args)
			if err != nil {
				return asUsage(err)
			}
			return s.showLogLevel(level)
		},
	}
}

// changeLogLevel sets the level in args, if they contain one, and returns the new state.
func (s *session) changeLogLevel(ctx context.Context, args []string) (api.LogLevel, error) {
	if len(args) == 0 {
		return s.client().LogLevel(ctx)
	}
	changed, err := s.client().SetLogLevel(ctx, args[0])
	if err != nil {
		return api.LogLevel{}, err
	}
	return *changed, nil
}

func (s *session) showLogLevel(l api.LogLevel) error {
	w := s.writer()
	if w.format == outputJSON {
		return errors.Join(w.json(l), w.flush())
	}
	text := l.Level
	if l.Configured != l.Level {
		text += fmt.Sprintf(" until the next reload or restart (configured: %s)", l.Configured)
	}
	w.line(plain, "", text)
	return w.flush()
}
