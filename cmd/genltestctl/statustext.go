// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/genltestd/genltestd/cmd/internal/plural"
	"github.com/genltestd/genltestd/daemon/control/api"
)

// A statusText prints a status for people. Ages are relative to the time of the status.
type statusText struct {
	*writer
	*api.Status
}

func (t statusText) print() {
	t.health()
	t.notes()
	fmt.Fprintln(t.out)
	t.facts()
	families, sinks := t.familyTable(), t.sinkTable()
	for _, table := range []*table{&families, &sinks} {
		if len(table.rows) > 0 {
			fmt.Fprintln(t.out)
			t.writer.print(table)
		}
	}
}

// health prints whether the daemon is healthy, and each fault.
func (t statusText) health() {
	if t.Healthy {
		t.line(good, "● ", "genltestd is healthy")
		return
	}
	var faults [][2]string
	for _, part := range t.Parts {
		for _, fault := range part.Faults {
			text := fault.Text
			if fault.Since != nil {
				text += " (for " + t.age(*fault.Since) + ")"
			}
			faults = append(faults, [2]string{part.Name, text})
		}
		if !part.Alive && len(part.Faults) == 0 {
			faults = append(faults, [2]string{part.Name, "makes no progress; restart the daemon (systemctl restart genltestd)"})
		}
	}
	t.line(bad, "× ", "genltestd is degraded: "+plural.Count(len(faults), "fault"))
	t.fields(faults)
}

// notes prints what is not a fault.
func (t statusText) notes() {
	var notes [][2]string
	for _, n := range t.Notes {
		notes = append(notes, [2]string{n.Part, n.Text + t.ago(n.Since)})
	}
	if len(notes) > 0 {
		t.line(warning, "! ", plural.Count(len(notes), "note"))
		t.fields(notes)
	}
}

func (t statusText) facts() {
	config := fmt.Sprintf("%s, loaded %s ago", t.Config.Hash, t.age(t.Config.Loaded))
	if t.Config.Fault != "" {
		config += "; the last reload was refused: " + t.Config.Fault
	}
	t.fields([][2]string{
		{"process", fmt.Sprintf("%d, version %s, started %s ago", t.PID, t.Version, t.age(t.Started))},
		{"configuration", config},
		{"journal", t.journalSize()},
		{"", t.journalEvents()},
	})
}

func (t statusText) journalSize() string {
	j := &t.Journal
	state := "accepts events"
	if !j.Accepting {
		state = "does not accept events"
	}
	text := fmt.Sprintf("%s; %s of %s", state, bytesText(j.Bytes), bytesText(j.MaxBytes))
	if j.MaxBytes > 0 {
		text += fmt.Sprintf(" (%d%%)", j.Bytes*100/j.MaxBytes)
	}
	return text
}

func (t statusText) journalEvents() string {
	j := &t.Journal
	if j.First == 0 {
		return "empty; fsync " + j.Fsync
	}
	text := fmt.Sprintf("events %d to %d", j.First, j.Last)
	if j.Oldest != nil {
		text += ", the oldest " + t.age(*j.Oldest) + " old"
	}
	if j.Synced < j.Last {
		return text + fmt.Sprintf("; %s not synced, fsync %s", plural.Count(j.Last-j.Synced, "event"), j.Fsync)
	}
	return text + "; synced, fsync " + j.Fsync
}

func (t statusText) familyTable() table {
	list := table{fold: true, columns: []column{
		{title: "FAMILY"},
		{title: "SUBSCRIBED"},
		{title: "BUFFER", right: true},
		{title: "RECEIVED", right: true},
		{title: "LOST", right: true},
		{title: "REFUSED", right: true, optional: true},
		{title: "BLIND", right: true, optional: true},
		{title: "GROUPS", optional: true},
	}}
	for _, f := range t.Families {
		subscribed, state := "yes", good
		if !f.Subscribed {
			subscribed, state = "no", bad
		}
		list.add(f.Name, styled{state, subscribed}, bytesText(int64(f.BufferBytes)), f.Received, warnAbove0(total(f.Lost)),
			f.Refused, secondsText(f.BlindSeconds), cmp.Or(strings.Join(f.Groups, ", "), "all"))
		if total(f.Lost) > 0 {
			list.note("lost: " + counts(f.Lost))
		}
		if f.Echo != "" && f.Echo != "ok" {
			list.note("echo: " + f.Echo)
		}
	}
	return list
}

func (t statusText) sinkTable() table {
	list := table{fold: true, columns: []column{
		{title: "SINK"},
		{title: "STATE"},
		{title: "WAITING", right: true},
		{title: "BEHIND", right: true},
		{title: "DEAD LETTERS", right: true},
		{title: "DROPPED", right: true, optional: true},
		{title: "DELIVERED", right: true, optional: true},
		{title: "FAILURES", right: true, optional: true},
		{title: "KIND", optional: true},
	}}
	for i := range t.Sinks {
		s := &t.Sinks[i]
		list.add(s.Name, styled{stateStyle(s.State), s.State}, s.Waiting+s.InFlight, secondsText(s.BehindS), warnAbove0(s.DeadLetters),
			warnAbove0(total(s.Dropped)), s.Delivered, s.Failures, s.Kind)
		if total(s.Dropped) > 0 {
			list.note("dropped: " + counts(s.Dropped))
		}
		if s.LastError != "" {
			list.note("last error" + t.ago(s.LastErrorAt) + ": " + s.LastError)
		}
		if s.NextAttempt != nil {
			list.note("next attempt in " + durationText(max(0, s.NextAttempt.Sub(t.Time))))
		}
	}
	return list
}

func stateStyle(state string) style {
	switch state {
	case api.SinkIdle, api.SinkDelivering:
		return good
	case api.SinkRetrying, api.SinkPaused:
		return warning
	}
	return bad
}

// warnAbove0 returns a count that is highlighted unless it is 0.
func warnAbove0(n uint64) styled {
	if n == 0 {
		return styled{plain, "0"}
	}
	return styled{warning, fmt.Sprint(n)}
}

func (t statusText) age(since time.Time) string { return durationText(max(0, t.Time.Sub(since))) }

func (t statusText) ago(at *time.Time) string {
	if at == nil {
		return ""
	}
	return " " + t.age(*at) + " ago"
}

func total(by map[string]uint64) (n uint64) {
	for _, count := range by {
		n += count
	}
	return n
}

// counts lists the counts that are not 0, in the order of their names.
func counts(by map[string]uint64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(by)) {
		if by[name] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", name, by[name]))
		}
	}
	return strings.Join(parts, ", ")
}
