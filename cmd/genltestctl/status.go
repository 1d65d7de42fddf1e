// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/daemon/control/api"
)

const statusHelp = `Show the state of the daemon on one screen: its health with each fault, the families,
the journal and the sinks.

The counters of families count from the boot of the machine, those of sinks from the
start of the daemon. The exit status is 0 if the daemon is healthy, 3 if it has a fault,
and 69 if no daemon runs.`

// errDegraded sets the exit status of a command that has reported the faults of the daemon.
var errDegraded = errors.New("the daemon has faults")

func (s *session) status() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show the health of the daemon, its families and its sinks", Long: statusHelp,
		Args: usageArgs(cobra.NoArgs), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := s.client().Status(cmd.Context())
			if err != nil {
				return err
			}
			if err := s.showStatus(st); err != nil {
				return err
			}
			if !st.Healthy {
				return errDegraded
			}
			return nil
		},
	}
}

func (s *session) showStatus(st *api.Status) error {
	w := s.writer()
	if w.format == outputJSON {
		return errors.Join(w.json(st), w.flush())
	}
	statusText{w, st}.print()
	return w.flush()
}
