// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/daemon/control/api"
)

const testSinkHelp = `Send one marked event to the destination of a sink, and show whether it accepts the event.

The event has the kind test, which its receiver sees, and the sink's own envelope,
templates and settings. It is sent at once, also while the sink is paused or waits after
a failure. The rules of the sink, such as filter, do not apply. The event is neither in
the journal nor in the counters of the sink, and the result does not change its state.

The command waits at most 20 seconds, and at most attempt_timeout for the answer. An event
without an answer in time can still arrive. If an attempt is running, the event is sent
after it; if it lasts too long, the event is not sent.

Exit status: 0 if the destination has accepted the event, or else 1.`

// errNotAccepted sets the exit status of a test whose event was not accepted.
var errNotAccepted = errors.New("the test event was not accepted")

func (s *session) testSink() *cobra.Command {
	return &cobra.Command{
		Use: "test NAME", Short: "Send a marked event to the destination of a sink", Long: testSinkHelp,
		Args: usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: s.completeSink,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := s.client().Test(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := s.printAnswer(t, testText(t)); err != nil || t.Outcome == api.TestAccepted {
				return err
			}
			return errNotAccepted
		},
	}
}

// testText returns the result of a test for people.
func testText(t *api.SinkTest) string {
	took := fmt.Sprintf("%.3f ms", t.Seconds*1000)
	switch t.Outcome {
	case api.TestAccepted:
		return fmt.Sprintf("%s has accepted the test event %s in %s", t.Sink, t.ID, took)
	case api.TestRefused:
		return fmt.Sprintf("%s has refused the test event permanently after %s: %s", t.Sink, took, t.Error)
	case api.TestFailed:
		return fmt.Sprintf("%s has not accepted the test event after %s, for a reason that may pass: %s", t.Sink, took, t.Error)
	}
	return fmt.Sprintf("%s has not received the test event: %s", t.Sink, t.Error)
}
