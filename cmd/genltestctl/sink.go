// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/cmd/internal/plural"
	"github.com/genltestd/genltestd/daemon/control/api"
)

const sinkHelp = `Pause, resume, retry, skip or test the delivery to one sink.

Other sinks are not affected. Only an operator can do this, and the daemon logs it.`

func (s *session) sink() *cobra.Command {
	return group("sink", "Pause, resume, retry, skip or test the delivery to one sink", sinkHelp,
		s.pauseSink(), s.resumeSink(), s.retrySink(), s.skipEvents(), s.testSink())
}

func (s *session) pauseSink() *cobra.Command {
	return &cobra.Command{
		Use: "pause NAME", Short: "Stop the delivery to a sink until it is resumed",
		Long: `Stop the delivery to a sink until it is resumed, also after a restart of the daemon.

The running attempt continues. The events wait in the journal, within the limits of
the journal and of the sink, such as max_age. With overflow: block, a full journal
stops receiving for all sinks.`,
		Args: usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: s.completeSink,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := s.client().Pause(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			since := ""
			if p.PausedSince != nil {
				since = " since " + p.PausedSince.UTC().Format(time.RFC3339)
			}
			return s.printAnswer(p, fmt.Sprintf("%s is paused%s; continue with: genltestctl sink resume %[1]s", p.Sink, since))
		},
	}
}

func (s *session) resumeSink() *cobra.Command {
	return &cobra.Command{
		Use: "resume NAME", Short: "Continue the delivery to a sink that is paused",
		Args: usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: s.completeSink,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := s.client().Resume(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if p.WasPausedSince == nil {
				return s.printAnswer(p, p.Sink+" was not paused")
			}
			return s.printAnswer(p, fmt.Sprintf("%s is resumed; it was paused since %s", p.Sink, p.WasPausedSince.UTC().Format(time.RFC3339)))
		},
	}
}

func (s *session) retrySink() *cobra.Command {
	return &cobra.Command{
		Use: "retry NAME", Short: "Start the next attempt of a failing sink now",
		Long: `Start the next attempt of a failing sink now, without waiting for the end of the pause after
the last failure. genltestctl status shows the result.`,
		Args: usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: s.completeSink,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.client().Retry(cmd.Context(), args[0]); err != nil {
				return err
			}
			return s.printAnswer(api.Retry{Sink: args[0]}, args[0]+" tries again now")
		},
	}
}

type skipOptions struct {
	to    string
	until pastTime
	yes   bool
}

func (s *session) skipEvents() *cobra.Command {
	o := skipOptions{}
	cmd := &cobra.Command{
		Use: "skip [--to ID | --until TIME] NAME", Short: "Drop events that a sink has not accepted yet",
		Long: `Drop events that a sink has not accepted yet: all that were received before this request, or
those up to an event or to a time.

The sink never receives them. They are counted as dropped with the reason skipped. The
command waits until the running attempt has ended; the sink may have received its
events. A paused sink remains paused.`,
		Args: usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: s.completeSink,
		RunE: func(cmd *cobra.Command, args []string) error {
			selected, err := o.selected()
			if err != nil {
				return err
			}
			return s.skip(cmd.Context(), args[0], selected, o.yes)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.to, "to", "", "id or number of the last event that is dropped")
	flags.Var(&o.until, "until", "drop the events that were received before this time, or longer ago than this, such as 1h")
	flags.BoolVar(&o.yes, "yes", false, "drop without asking")
	return cmd
}

// selected returns the request without its confirmation.
func (o *skipOptions) selected() (*api.Skip, error) {
	switch {
	case o.to != "" && !o.until.IsZero():
		return nil, usageError{errors.New("specify either --to or --until")}
	case !o.until.IsZero():
		return &api.Skip{Until: &o.until.Time}, nil
	case o.to != "":
		return &api.Skip{To: o.to}, nil
	}
	return &api.Skip{All: true}, nil
}

// skip drops the selected events after a confirmation.
func (s *session) skip(ctx context.Context, sink string, selected *api.Skip, yes bool) error {
	if !yes {
		ask := *selected
		ask.DryRun = true
		found, err := s.client().Skip(ctx, sink, &ask)
		if err != nil {
			return err
		}
		if err := s.confirm(fmt.Sprintf("Drop up to %s of sink %s?", plural.Count(int(found.Before), "event"), visible(sink))); err != nil {
			return err
		}
	}
	done, err := s.client().Skip(ctx, sink, selected)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s of %s skipped", plural.Count(int(done.Skipped), "event"), sink)
	if !done.Done {
		text += "; the daemon skips the others when the running attempt has ended"
	}
	return s.printAnswer(done, text)
}

// printAnswer prints the answer of the daemon, or the text.
func (s *session) printAnswer(v any, text string) error {
	w := s.writer()
	if w.format == outputJSON {
		return errors.Join(w.json(v), w.flush())
	}
	fmt.Fprintln(w.out, visible(text))
	return w.flush()
}
