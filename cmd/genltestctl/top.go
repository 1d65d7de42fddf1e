// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/daemon/control/api"
)

const topHelp = `Show the load of the daemon, again and again: which stage limits the flow of events, where
events are dropped, and the rate, the latency and the backlog of each sink.

Keys: s sorts by the next column, / filters the sinks by a part of their names, p pauses,
q ends. If the daemon restarts, the command connects again.

The bottleneck is the first of these: the journal if it does not accept events; a receive
buffer of the kernel that loses events; a sink that has waiting events and does not deliver;
a sink that accepts fewer events than arrive; a sink that reduces a backlog. With --output
json, one object is printed for each interval, without a terminal.`

func (s *session) top() *cobra.Command {
	interval, limit := time.Second, 0
	cmd := &cobra.Command{
		Use: "top", Short: "Show live where events are delayed or dropped", Long: topHelp,
		Args: usageArgs(cobra.NoArgs), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case interval < 100*time.Millisecond:
				return usageError{errors.New("--interval must be at least 100ms")}
			case s.output == outputJSON:
				return s.streamLoad(cmd.Context(), interval, limit)
			case !isTerminal(s.in) || !isTerminal(s.out):
				return usageError{errors.New("top requires a terminal; use -o json for a file or a pipe")}
			}
			return s.showTop(cmd.Context(), interval, limit)
		},
	}
	cmd.Flags().DurationVarP(&interval, "interval", "d", interval, "time between two updates")
	cmd.Flags().IntVarP(&limit, "limit", "n", 0, "stop after this number of updates; 0 continues until the command is interrupted")
	return cmd
}

// A reading is a status of the daemon, or the reason for which it cannot be read.
type reading struct {
	status *api.Status
	err    error
}

// poll sends an update at each interval until ctx ends.
func (s *session) poll(ctx context.Context, interval time.Duration, updates chan<- reading) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		request, cancel := context.WithTimeout(ctx, max(interval, 5*time.Second))
		st, err := s.client().Status(request)
		cancel()
		select {
		case updates <- reading{st, err}:
		case <-ctx.Done():
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// streamLoad prints the load at each interval as JSON. It ends if the daemon does not answer.
func (s *session) streamLoad(ctx context.Context, interval time.Duration, limit int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	updates := make(chan reading)
	go s.poll(ctx, interval, updates)
	var before *api.Status
	for n := 1; limit == 0 || n <= limit; n++ {
		var u reading
		select {
		case u = <-updates:
		case <-ctx.Done():
			return nil
		}
		if u.err != nil {
			return u.err
		}
		w := s.writer()
		if err := errors.Join(w.json(loadOf(before, u.status)), w.flush()); err != nil {
			return err
		}
		before = u.status
	}
	return nil
}

// showTop shows the load on the screen until the operator ends it.
func (s *session) showTop(ctx context.Context, interval time.Duration, limit int) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	scr, err := newScreen(s.in, s.out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, scr.close()) }()
	defer scr.guard()
	updates, keys := make(chan reading), make(chan byte)
	go func() { defer scr.guard(); s.poll(ctx, interval, updates) }()
	go scr.keys(keys)
	view := &topView{interval: interval, color: usesColor(s.out)}
	for n := 0; ; {
		if err := scr.show(view.lines(scr.size())); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case key, open := <-keys:
			if !open || view.press(key) {
				return nil
			}
		case sig := <-scr.signals:
			if goes, err := scr.handle(sig); err != nil || !goes {
				return err
			}
		case u := <-updates:
			view.update(u, s.explainText)
			if n++; limit > 0 && n >= limit {
				return scr.show(view.lines(scr.size()))
			}
		}
	}
}

// explainText returns an error with its remedy.
func (s *session) explainText(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer on %s; see systemctl status genltestd", s.socket)
	}
	text, _ := s.explain(err)
	return text
}
