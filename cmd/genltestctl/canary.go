// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/daemon/control/api"
)

const canaryHelp = `Trigger an event that no sink receives, and print its latency to each sink.

The latency is the time from the trigger in the kernel until all events before the
canary have an outcome in the sink. It includes the queue of the sink, and not the
transmission of the canary. The exit status is 3 if the canary does not reach each
sink within --wait. Only root can trigger an event.

The timer genltestd-canary.timer runs this command every five minutes:
systemctl enable --now genltestd-canary.timer`

// canaryPoll is the interval between requests for the progress.
const canaryPoll = 50 * time.Millisecond

func (s *session) canary() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "canary", Short: "Measure the latency of an event to each sink", Long: canaryHelp,
		Args: usageArgs(cobra.NoArgs), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			last, err := s.measure(cmd.Context(), wait)
			if err != nil {
				return err
			}
			if err := s.showCanary(last); err != nil {
				return err
			}
			if !isComplete(last) {
				return errDegraded
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Second, "time in which the canary must reach each sink")
	return cmd
}

// measure triggers a canary, and returns its progress when it has reached all sinks, or after wait.
func (s *session) measure(ctx context.Context, wait time.Duration) (*api.Canary, error) {
	trigger, err := openTrigger(s.pingFile)
	if err != nil { // the daemon does not expect an event that cannot be triggered
		return nil, err
	}
	asked, err := s.client().RequestCanary(ctx)
	if err != nil {
		return nil, errors.Join(err, trigger.close())
	}
	if err := trigger.write(asked.Text); err != nil {
		return nil, err
	}
	for end := time.Now().Add(wait); ; {
		last, err := s.client().LastCanary(ctx)
		switch {
		case err != nil:
			return nil, err
		case !last.Requested.Equal(asked.Requested):
			return nil, errors.New("another canary was requested meanwhile; try again")
		case isComplete(&last) || time.Now().After(end):
			return &last, nil
		}
		select {
		case <-time.After(canaryPoll):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func isComplete(c *api.Canary) bool {
	return c.Received && !slices.ContainsFunc(c.Sinks, func(s api.CanarySink) bool { return !s.Reached })
}

func (s *session) showCanary(c *api.Canary) error {
	w := s.writer()
	if w.format == outputJSON {
		return errors.Join(w.json(c), w.flush())
	}
	if !c.Received {
		w.line(bad, "", "the daemon has not received the event; genltestctl status shows the faults")
		return w.flush()
	}
	if len(c.Sinks) == 0 {
		w.line(plain, "", "the daemon has received the event; no sink is configured")
	}
	w.table.columns = []column{{title: "SINK"}, {title: "LATENCY"}}
	for _, p := range c.Sinks {
		latency := styled{text: fmt.Sprintf("%.1f ms", p.LatencySeconds*1000)}
		switch {
		case !p.Reached:
			latency = styled{bad, "not reached for " + secondsText(p.LatencySeconds)}
		case p.LatencySeconds >= 10:
			latency.text = secondsText(p.LatencySeconds)
		}
		w.table.add(p.Sink, latency)
	}
	return w.flush()
}
