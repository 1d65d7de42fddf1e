// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/daemon/control/api"
)

const reloadHelp = `Reload the daemon's configuration, and wait until it is in effect.

The daemon checks the whole configuration before it changes anything. If the
configuration has a fault, each fault is printed with its place, the running
configuration stays in effect, and the exit status is 78. systemctl reload genltestd
runs this command.`

func (s *session) reload() *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Reload the configuration", Long: reloadHelp,
		Args: usageArgs(cobra.NoArgs), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			done, err := s.client().Reload(cmd.Context())
			var refused *api.Error
			if errors.As(err, &refused) {
				s.complain(refused.Faults)
			}
			if err != nil {
				return err
			}
			return s.showReload(done)
		},
	}
}

// complain prints faults or warnings of the configuration.
func (s *session) complain(lines []string) {
	for _, line := range lines {
		fmt.Fprintln(s.err, visible(line))
	}
}

func (s *session) showReload(r *api.Reload) error {
	w := s.writer()
	if w.format == outputJSON {
		return errors.Join(w.json(r), w.flush())
	}
	for _, warning := range r.Warnings {
		s.complain([]string{"warning: " + warning})
	}
	var parts []string
	for _, p := range []struct {
		what  string
		names []string
	}{
		{"families added:", r.Families.Added},
		{"families changed:", r.Families.Changed},
		{"families removed:", r.Families.Removed},
		{"sinks added:", r.Added},
		{"sinks changed:", r.Changed},
		{"sinks removed:", r.Removed},
	} {
		if len(p.names) > 0 {
			parts = append(parts, p.what+" "+strings.Join(p.names, ", "))
		}
	}
	parts = append(parts, fmt.Sprintf("sinks unchanged: %d", r.Unchanged))
	w.line(plain, "", "reloaded: "+strings.Join(parts, "; "))
	return w.flush()
}
