// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/cmd/internal/plural"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/event"
)

const tailHelp = `Show the last events of the daemon's journal, and then each new event.

Without --from and --since, tail begins with the last 10 events. The journal does not wait
for the command: if it removes events before they are shown, tail prints how many. A tail
ends when the daemon ends (exit status 69), and with status 0 on Ctrl-C.

--sink shows the events that the rules of a sink select, with the rules at the start of the
command, and each as the sink's envelope writes it. The rules extract, filter and sample are
applied. The effect of dedup and rate_limit depends on all events before, so their events are
shown too, and summaries of suppressed events are not.`

// defaultEvents is the number of old events without an option.
const defaultEvents = 10

type tailOptions struct {
	query    api.EventsQuery
	since    pastTime
	noFollow bool
}

func (s *session) tail() *cobra.Command {
	var o tailOptions
	cmd := &cobra.Command{
		Use: "tail", Short: "Show the last events, and then each new one", Long: tailHelp,
		Args: usageArgs(cobra.NoArgs), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("lines") && o.query.From == "" && o.since.IsZero() {
				o.query.Limit = defaultEvents
			}
			return s.runTail(cmd.Context(), &o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.query.Sink, "sink", "", "show the events that the rules of this sink select")
	flags.StringVar(&o.query.Filter, "filter", "", "show the events for which this filter expression is true")
	flags.StringVar(&o.query.From, "from", "", "begin with the event of this id")
	flags.Var(&o.since, "since", "begin with the first event that was received at this time, or this long ago, such as 1h")
	flags.IntVarP(&o.query.Limit, "lines", "n", api.Unlimited,
		"show at most the last n of the old events (default 10 without --from and --since)")
	flags.Lookup("lines").DefValue = "0" // the text contains the default
	flags.BoolVar(&o.noFollow, "no-follow", false, "end after the old events")
	_ = cmd.RegisterFlagCompletionFunc("sink", s.completeSinkOption) // fails only for an unknown flag
	return cmd
}

// completeSinkOption completes an option with the sinks of a running daemon.
func (s *session) completeSinkOption(cmd *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
	return s.completeSink(cmd, nil, text)
}

func (s *session) runTail(ctx context.Context, o *tailOptions) (err error) {
	switch {
	case o.query.Sink != "" && o.query.Filter != "":
		return usageError{errors.New("specify either --sink or --filter")}
	case o.query.From != "" && !o.since.IsZero():
		return usageError{errors.New("specify either --from or --since")}
	}
	if o.query.Limit < api.Unlimited || o.query.Limit > api.MaxEvents {
		return usageError{fmt.Errorf("-n %d is not a number from 0 to %d", o.query.Limit, api.MaxEvents)}
	}
	o.query.Since, o.query.Follow = o.since.Time, !o.noFollow
	out := &eventLines{writer: s.writer(), session: s}
	err = s.client().Events(ctx, &o.query, out.add)
	if ctx.Err() != nil && o.query.Follow {
		err = nil // by Ctrl-C
	}
	return errors.Join(asUsage(err), out.out.Flush())
}

// asUsage returns the error of a request that can never succeed as a usage error.
func asUsage(err error) error {
	var refused *api.Error
	if errors.As(err, &refused) && refused.Status == http.StatusBadRequest {
		return usageError{err}
	}
	return err
}

// eventLines prints the lines of a stream.
type eventLines struct {
	*writer
	session *session
	begun   bool
}

// A shownEvent is the part of an event that a line shows.
type shownEvent struct {
	ID            string
	Seq           uint64
	Kind          string
	Time          time.Time
	Family        string
	Count         uint64  // of a Missed
	Encoded       *string // the output of the sink's envelope
	EncodedBase64 []byte  `json:"encoded_base64"`
	EncodeError   string  `json:"encode_error"`
	Gap           struct {
		Count  uint64
		Reason string
	}
}

// add prints a line at once: the next one may take long.
func (l *eventLines) add(line []byte) error {
	if l.format == outputJSON {
		_, err := l.out.Write(append(event.AppendVisibleJSON(nil, line), '\n'))
		return errors.Join(err, l.out.Flush())
	}
	var e shownEvent
	if err := json.Unmarshal(line, &e); err != nil {
		return fmt.Errorf("the answer of the daemon is not an event: %w", err)
	}
	if e.Kind == api.KindMissed {
		if err := l.out.Flush(); err != nil {
			return err
		}
		missed := plural.Count(int(e.Count), "event") + " missed: the journal has removed them before they were read"
		l.session.complain([]string{missed})
		return nil
	}
	if !l.begun {
		l.print("TIME", "NUMBER", "ID", "FAMILY", "TEXT")
		l.begun = true
	}
	l.print(e.Time.UTC().Format("2006-01-02T15:04:05.000Z"), strconv.FormatUint(e.Seq, 10), e.ID, e.Family, e.text(line))
	return l.out.Flush()
}

// text returns the text of an event, or the output of the sink's envelope.
func (e *shownEvent) text(line []byte) string {
	switch {
	case e.EncodeError != "":
		return "(cannot be encoded: " + e.EncodeError + ")"
	case e.EncodedBase64 != nil:
		return string(e.EncodedBase64)
	case e.Encoded != nil:
		return *e.Encoded
	case e.Kind == "gap":
		return fmt.Sprintf("(gap: %s lost: %s)", plural.Count(int(e.Gap.Count), "event"), e.Gap.Reason)
	}
	return textOf(line)
}

// narrow is the width of a terminal below which a line has the number of an event in place of
// its id, and no date.
const narrow = 100

// print prints the columns of one line. Their widths do not depend on the events, because these
// are not known in advance.
func (l *eventLines) print(at, number, id, family, text string) {
	var line string
	if l.width > 0 && l.width < narrow {
		if len(at) > len("TIME") {
			at = at[len("2006-01-02T"):len("2006-01-02T15:04:05")]
		}
		line = fmt.Sprintf("%-8s  %6s  %s", at, cmp.Or(number, id), visible(text))
	} else {
		line = fmt.Sprintf("%-24s  %-22s  %-10s  %s", at, visible(id), visible(family), visible(text))
	}
	if line = strings.TrimRight(line, " "); l.width > 0 {
		line = cut(line, l.width)
	}
	fmt.Fprintln(l.out, line)
}
