// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/sink"
)

// A letterFilter selects dead letters by their properties. The zero filter selects all.
type letterFilter struct {
	reason string
	since  pastTime
}

// addTo adds the options of the filter to a command.
func (f *letterFilter) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.reason, "reason", "", `only dead letters of this kind, such as http_status or "http_status 413"`)
	cmd.Flags().Var(&f.since, "since", "only dead letters that were refused since this time, or within this duration")
	var kinds []string
	for _, kind := range sink.RefusalKinds() {
		kinds = append(kinds, string(kind))
	}
	complete := cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp)
	_ = cmd.RegisterFlagCompletionFunc("reason", complete) // fails only for an unknown flag
}

func (f *letterFilter) isSet() bool { return f.reason != "" || !f.since.IsZero() }

func (f *letterFilter) matches(l *api.Letter) bool {
	return (f.reason == "" || f.reason == l.Kind || f.reason == kindOf(l)) && !l.Refused.Before(f.since.Time)
}

// A letterChoice is how a command selects the dead letters of one sink: by ids, by a filter, or all.
type letterChoice struct {
	sink   string
	ids    []string
	all    bool
	filter letterFilter
}

// addTo adds the options of the choice to a command.
func (c *letterChoice) addTo(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.all, "all", false, "all dead letters of the sink")
	c.filter.addTo(cmd)
}

// parse reads the arguments of a command: the sink and the ids.
func (c *letterChoice) parse(args []string) error {
	c.sink, c.ids = args[0], args[1:]
	n := 0
	for _, used := range []bool{len(c.ids) > 0, c.all, c.filter.isSet()} {
		if used {
			n++
		}
	}
	if n != 1 {
		return usageError{errors.New("specify either ids of events or --all, or at least one of --reason and --since")}
	}
	return nil
}

// selection returns the selection for the daemon. It lists the dead letters for a filter.
func (c *letterChoice) selection(ctx context.Context, client *api.Client) (api.Selection, error) {
	if !c.filter.isSet() {
		return api.Selection{All: c.all, IDs: c.ids}, nil
	}
	ids, err := idsOf(ctx, client, c.sink, c.filter.matches)
	return api.Selection{IDs: ids}, err
}

// idsOf returns the ids of the dead letters of a sink that match.
func idsOf(ctx context.Context, client *api.Client, sink string, matches func(*api.Letter) bool) (ids []string, err error) {
	err = client.Letters(ctx, sink, func(l api.Letter) error {
		if matches(&l) {
			ids = append(ids, l.ID)
		}
		return nil
	})
	return ids, err
}

// change applies do to the chosen dead letters, and returns their number.
func (c *letterChoice) change(
	ctx context.Context, client *api.Client, do func(context.Context, string, api.Selection) (int, error),
) (int, error) {
	which, err := c.selection(ctx, client)
	if err != nil || !which.All && len(which.IDs) == 0 {
		return 0, err
	}
	return do(ctx, c.sink, which)
}

// replayInterval is the interval between checks whether a replay has ended.
const replayInterval = 500 * time.Millisecond

// A replayForm is the outcome of a replay as JSON. The form is documented and stable.
type replayForm struct {
	Letters  int `json:"letters"`
	Accepted int `json:"accepted"`
	Refused  int `json:"refused"`
}

// replayAndWait replays the chosen dead letters, and waits until each is accepted or refused again.
func (s *session) replayAndWait(ctx context.Context, c *letterChoice) error {
	client := s.client()
	which, err := c.selection(ctx, client)
	if err == nil && which.All {
		which.IDs, err = idsOf(ctx, client, c.sink, func(*api.Letter) bool { return true })
		which.All = false
	}
	if err != nil || len(which.IDs) == 0 {
		return errors.Join(err, s.showReplay(replayForm{}))
	}
	if _, err := client.Replay(ctx, c.sink, which); err != nil {
		return err
	}
	if err := awaitReplay(ctx, client, c.sink); err != nil {
		return err
	}
	chosen := map[string]bool{}
	for _, id := range which.IDs {
		chosen[id] = true
	}
	refused, err := idsOf(ctx, client, c.sink, func(l *api.Letter) bool { return chosen[l.ID] })
	if err != nil {
		return err
	}
	done := replayForm{Letters: len(which.IDs), Accepted: len(which.IDs) - len(refused), Refused: len(refused)}
	if err := s.showReplay(done); err != nil {
		return err
	}
	if done.Refused > 0 {
		return fmt.Errorf("not all dead letters were accepted; see genltestctl dlq list %s", c.sink)
	}
	return nil
}

// awaitReplay waits until no dead letter of a sink waits for a replay.
func awaitReplay(ctx context.Context, client *api.Client, sink string) error {
	for {
		var box api.Box
		err := client.Boxes(ctx, func(b api.Box) error {
			if b.Sink == sink {
				box = b
			}
			return nil
		})
		switch {
		case ctx.Err() != nil:
			return errors.New("interrupted; the replay continues without the command")
		case err != nil:
			return err
		case box.Fault != "":
			return fmt.Errorf("the dead letters of sink %s cannot be read: %s", sink, box.Fault)
		case box.ToReplay == 0:
			return nil
		}
		select {
		case <-time.After(replayInterval):
		case <-ctx.Done():
		}
	}
}

func (s *session) showReplay(r replayForm) error {
	w := s.writer()
	if w.format == outputJSON {
		return errors.Join(w.json(r), w.flush())
	}
	fmt.Fprintf(w.out, "accepted: %d; refused again: %d\n", r.Accepted, r.Refused)
	return w.flush()
}
