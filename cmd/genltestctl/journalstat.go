// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/genltestd/genltestd/daemon/control/api"
)

const journalStatHelp = `Show the state of the journal, and how far each sink is behind.

The command asks the running daemon. If no daemon answers, it reports that on standard error,
and reads the files as verify does. The exit status is 0 if the journal has no fault, 3 if
the daemon reports one, and 1 if the files are damaged.`

// A journalStatForm is the state of a journal as JSON. The form is documented and stable.
type journalStatForm struct {
	Running bool         `json:"running"`           // a daemon has answered
	Journal *api.Journal `json:"journal,omitempty"` // of a running daemon
	Faults  []string     `json:"faults"`            // of the journal, that a running daemon reports
	Sinks   []backlog    `json:"sinks"`             // of a running daemon
	Files   *journalForm `json:"files,omitempty"`   // without a running daemon
}

// A backlog is what a sink has still to read from the journal.
type backlog struct {
	Name          string  `json:"name"`
	State         string  `json:"state"`
	Waiting       uint64  `json:"waiting"` // events without an outcome
	LagBytes      int64   `json:"lag_bytes"`
	BehindSeconds float64 `json:"behind_seconds"`
}

// statJournal implements journal stat. The directory is never specified.
func (s *session) statJournal(ctx context.Context, o *journalOptions, _ string) error {
	st, err := s.client().Status(ctx)
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil {
		text, _ := s.explain(err)
		s.complain([]string{"genltestctl: " + text, "genltestctl: reading the files of the journal in place of that"})
		return s.statFiles(o)
	}
	form := newJournalStat(st)
	if err := s.showJournalStat(st, form); err != nil {
		return err
	}
	if len(form.Faults) > 0 {
		return errDegraded
	}
	return nil
}

// statFiles shows the journal without a daemon.
func (s *session) statFiles(o *journalOptions) error {
	dir, err := o.journalDir()
	if err != nil {
		return err
	}
	return s.checkFiles(dir, func(form *journalForm) any {
		return journalStatForm{Faults: []string{}, Sinks: []backlog{}, Files: form}
	})
}

func newJournalStat(st *api.Status) *journalStatForm {
	form := &journalStatForm{Running: true, Journal: &st.Journal, Faults: []string{}, Sinks: []backlog{}}
	for _, part := range st.Parts {
		if part.Name != "journal" {
			continue
		}
		for _, fault := range part.Faults {
			form.Faults = append(form.Faults, fault.Text)
		}
		if !part.Alive && len(part.Faults) == 0 {
			form.Faults = append(form.Faults, "makes no progress; restart the daemon (systemctl restart genltestd)")
		}
	}
	for i := range st.Sinks {
		k := &st.Sinks[i]
		form.Sinks = append(form.Sinks, backlog{k.Name, k.State, k.Waiting + k.InFlight, k.LagBytes, k.BehindS})
	}
	return form
}

func (s *session) showJournalStat(st *api.Status, form *journalStatForm) error {
	w := s.writer()
	if w.format == outputJSON {
		return errors.Join(w.json(form), w.flush())
	}
	if len(form.Faults) == 0 {
		w.line(good, "● ", "the journal is healthy")
	}
	for _, fault := range form.Faults {
		w.line(bad, "× ", fault)
	}
	fmt.Fprintln(w.out)
	text := statusText{w, st}
	w.fields([][2]string{
		{"directory", st.Journal.Path},
		{"journal", text.journalSize()},
		{"", text.journalEvents()},
	})
	list := table{fold: true, columns: []column{
		{title: "SINK"},
		{title: "STATE"},
		{title: "WAITING", right: true},
		{title: "LAG", right: true},
		{title: "BEHIND", right: true},
	}}
	for _, b := range form.Sinks {
		list.add(b.Name, styled{stateStyle(b.State), b.State}, b.Waiting, bytesText(b.LagBytes), secondsText(b.BehindSeconds))
	}
	if len(list.rows) > 0 {
		fmt.Fprintln(w.out)
		w.print(&list)
	}
	return w.flush()
}
