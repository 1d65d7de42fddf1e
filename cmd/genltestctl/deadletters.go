// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/cmd/internal/plural"
	"github.com/genltestd/genltestd/daemon/control/api"
)

const deadLettersHelp = `Inspect, replay or drop dead letters: events that a sink has refused permanently.

A dead letter is stored until it is replayed or dropped, or until a limit of the
sink's dead_letters removes the oldest.`

func (s *session) deadLetters() *cobra.Command {
	cmd := group("dlq", "Inspect, replay or drop the events that a sink has refused", deadLettersHelp,
		s.list(), s.show(), s.replay(), s.drop())
	cmd.Aliases = []string{"dead-letters"}
	return cmd
}

func (s *session) list() *cobra.Command {
	limit, filter := 0, letterFilter{}
	cmd := &cobra.Command{
		Use: "list [SINK]", Short: "Count the dead letters of each sink, or list the dead letters of one sink",
		Args: usageArgs(cobra.MaximumNArgs(1)), ValidArgsFunction: s.completeSink,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 0:
				return s.listLetters(cmd.Context(), args[0], limit, &filter)
			case filter.isSet():
				return usageError{errors.New("--reason and --since require a sink")}
			}
			return s.listBoxes(cmd.Context())
		},
	}
	filter.addTo(cmd)
	cmd.Flags().IntVarP(&limit, "limit", "n", 0, "list at most this number, the oldest first; 0 lists all")
	return cmd
}

func (s *session) listBoxes(ctx context.Context) error {
	out := s.writer()
	if err := s.client().Boxes(ctx, out.box); err != nil {
		return err
	}
	return out.flush()
}

var errEnough = errors.New("enough")

func (s *session) listLetters(ctx context.Context, sink string, limit int, filter *letterFilter) error {
	out, n := s.writer(), 0
	err := s.client().Letters(ctx, sink, func(l api.Letter) error {
		if !filter.matches(&l) {
			return nil
		}
		if n++; limit > 0 && n > limit {
			return errEnough
		}
		return out.letter(&l)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return errors.Join(err, out.flush())
	}
	return out.flush()
}

func (s *session) show() *cobra.Command {
	return &cobra.Command{
		Use: "show SINK ID", Short: "Show all details of one dead letter",
		Args: usageArgs(cobra.ExactArgs(2)), ValidArgsFunction: s.completeSink,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := s.client().Letter(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			return s.showLetter(args[0], &l)
		},
	}
}

func (s *session) replay() *cobra.Command {
	choice, wait := letterChoice{}, false
	cmd := &cobra.Command{
		Use: "replay SINK {[ID]... | --all | --reason KIND --since TIME}", Short: "Deliver dead letters again",
		Long: `Deliver dead letters again, in the order of their events and with the same ids.

Events that the sink accepts are removed from the dead letters. Events that it
refuses again remain, with the new reason. Without --wait, the command does not wait
for the delivery: genltestctl dlq list shows how many are still to be replayed. With
--wait, it fails if an event was refused again.`,
		Args: usageArgs(cobra.MinimumNArgs(1)), ValidArgsFunction: s.completeSink,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := choice.parse(args); err != nil {
				return err
			}
			if wait {
				return s.replayAndWait(cmd.Context(), &choice)
			}
			return s.change(cmd.Context(), "to replay", &choice, s.client().Replay)
		},
	}
	choice.addTo(cmd)
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until each is accepted or refused again")
	return cmd
}

func (s *session) drop() *cobra.Command {
	choice, yes := letterChoice{}, false
	cmd := &cobra.Command{
		Use: "drop SINK {[ID]... | --all | --reason KIND --since TIME}", Short: "Delete dead letters permanently",
		Args: usageArgs(cobra.MinimumNArgs(1)), ValidArgsFunction: s.completeSink,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := choice.parse(args); err != nil {
				return err
			}
			if !yes {
				if err := s.confirm(choice.dropQuestion()); err != nil {
					return err
				}
			}
			return s.change(cmd.Context(), "dropped", &choice, s.client().Drop)
		},
	}
	choice.addTo(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "delete without asking")
	return cmd
}

// change applies do to the chosen dead letters, and reports their number.
func (s *session) change(
	ctx context.Context, what string, choice *letterChoice, do func(context.Context, string, api.Selection) (int, error),
) error {
	n, err := choice.change(ctx, s.client(), do)
	if err != nil {
		return err
	}
	return s.report(n, what)
}

// dropQuestion returns what to ask before the chosen dead letters are deleted.
func (c *letterChoice) dropQuestion() string {
	what := "all dead letters"
	if c.filter.isSet() {
		what = "the matching dead letters"
	} else if !c.all {
		what = plural.Count(len(c.ids), "dead letter")
	}
	return fmt.Sprintf("Permanently delete %s of sink %s?", what, visible(c.sink))
}

// confirm asks before an action that cannot be undone.
func (s *session) confirm(question string) error {
	if !isTerminal(s.in) {
		return usageError{errors.New("dropped events cannot be restored: standard input is not a terminal, so confirm with --yes")}
	}
	fmt.Fprintf(s.err, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(s.in).ReadString('\n') // at the end of the input the answer is empty
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
		return nil
	}
	return errors.New("nothing was dropped")
}

// completeSink completes the first argument with the sinks of a running daemon.
func (s *session) completeSink(cmd *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
	defer cancel()
	err := s.client().Boxes(ctx, func(b api.Box) error {
		names = append(names, b.Sink)
		return nil
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
