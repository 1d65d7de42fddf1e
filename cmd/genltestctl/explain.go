// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/cmd/internal/plural"
	"github.com/genltestd/genltestd/daemon/control/api"
)

const explainHelp = `Explain what became of one event: its receipt, and for each sink the verdict of each rule,
the attempts, and the outcome.

The rules are those of the running configuration. dedup and rate_limit depend on the events
before, which are not known any more. The daemon stores the latest attempts that failed or
ended a failure, up to 64 for each sink, and not the outcome of each event: it concludes the
outcome, and prints after "unless" what it cannot exclude.

With --filter, evaluate an expression for the event, and show the value of each part.`

func (s *session) explainEvent() *cobra.Command {
	filter := ""
	cmd := &cobra.Command{
		Use: "explain ID", Short: "Explain what became of one event, or trace a filter for it", Long: explainHelp,
		Args: usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			x, err := s.client().Explain(cmd.Context(), args[0], filter)
			if err != nil {
				return asUsage(err)
			}
			return s.showExplanation(x)
		},
	}
	cmd.Flags().StringVar(&filter, "filter", "", "evaluate this filter expression, and show the value of each part")
	return cmd
}

// An explainer prints an explanation.
type explainer struct{ *writer }

func (s *session) showExplanation(x *api.Explanation) error {
	e := explainer{s.writer()}
	if e.format == outputJSON {
		if err := e.json(x); err != nil {
			return err
		}
		return e.flush()
	}
	e.receipt(x)
	if x.Filter != nil {
		e.line("", "")
		e.part(x.Filter, "")
	}
	for i := range x.Sinks {
		e.line("", "")
		e.sink(&x.Sinks[i])
	}
	return e.flush()
}

// line prints a line, cut to the width of the terminal.
func (e explainer) line(indent, format string, args ...any) {
	line := strings.TrimRight(indent+visible(fmt.Sprintf(format, args...)), " ")
	if e.width > 0 {
		line = cut(line, e.width)
	}
	fmt.Fprintln(e.out, line)
}

func (e explainer) receipt(x *api.Explanation) {
	kernel, place := "not known", "not in the journal; only in dead letters"
	if x.KernelTime != nil {
		kernel = x.KernelTime.Format(time.RFC3339Nano)
	}
	if x.File != "" {
		place = fmt.Sprintf("%s, offset %d", x.File, x.Offset)
		if !x.Synced {
			place += ", not synced yet"
		}
	}
	for _, field := range [][2]string{
		{"id", x.ID},
		{"sent", kernel},
		{"received", x.Received.Format(time.RFC3339Nano)},
		{"family", strings.TrimSuffix(x.Family+" "+x.Group, " ")},
		{"size", plural.Count(x.Bytes, "byte")},
		{"journal", place},
		{"text", textOf(x.Event)},
	} {
		e.line("", "%-9s %s", field[0], field[1])
	}
}

func (e explainer) sink(o *api.SinkOutcome) {
	e.line("", "sink %s (%s): %s", o.Sink, o.Kind, strings.ReplaceAll(o.Outcome, "_", " "))
	e.line("  ", "%s", o.Text)
	for _, doubt := range o.Unless {
		e.line("  ", "unless %s", doubt)
	}
	for i := range o.Rules {
		e.rule(&o.Rules[i])
	}
	for i := range o.Attempts {
		e.line("  ", "%s", attemptText(&o.Attempts[i]))
	}
	if l := o.DeadLetter; l != nil {
		e.line("  ", "refused %s after %s: %s", l.Refused.Format(time.RFC3339), plural.Count(l.Attempts, "attempt"), l.Reason)
	}
}

func (e explainer) rule(r *api.RuleStep) {
	text := r.Text
	for _, name := range slices.Sorted(maps.Keys(r.Captures)) {
		text += fmt.Sprintf(" %s=%q", name, r.Captures[name])
	}
	e.line("  ", "%-10s %-8s %s", r.Rule, r.Result, strings.TrimPrefix(text, " "))
	if r.Filter != nil {
		for i := range r.Filter.Parts {
			e.part(&r.Filter.Parts[i], "    ")
		}
	}
}

// part prints a part of an expression, and those that it consists of below it.
func (e explainer) part(p *api.FilterPart, indent string) {
	value := string(p.Value)
	if p.Error != "" {
		value = "error: " + p.Error
	}
	if p.Unused {
		value += " (not used)"
	}
	e.line(indent, "%s  =>  %s", p.Text, value)
	for i := range p.Parts {
		e.part(&p.Parts[i], indent+"  ")
	}
}

func attemptText(a *api.Attempt) string {
	at, what := a.Time.Format(time.RFC3339), "attempt"
	if a.Replay {
		what = "replay"
	}
	events := plural.Count(a.Events, "event")
	if a.Events > 1 {
		events += fmt.Sprintf(", %d to %d", a.First, a.Last)
	}
	switch {
	case a.Dropped != "":
		return fmt.Sprintf("dropped %s by %s (%s)", at, a.Dropped, events)
	case a.Error == "":
		return fmt.Sprintf("%s %s accepted (%s)", what, at, events)
	case a.Accepted > 0:
		return fmt.Sprintf("%s %s failed after %d accepted (%s): %s", what, at, a.Accepted, events, a.Error)
	}
	return fmt.Sprintf("%s %s failed (%s): %s", what, at, events, a.Error)
}
