// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// hostileTexts returns texts with each character that controls a terminal or ends a line, and
// texts that are not UTF-8.
func hostileTexts() (texts []string) {
	for r := rune(1); r < 0xa0; r++ {
		if r < ' ' || r > '~' {
			texts = append(texts, "a"+string(r)+"b")
		}
	}
	for b := 0x80; b < 0x100; b++ {
		texts = append(texts, "a"+string([]byte{byte(b)})+"b")
	}
	const invisible = "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e" +
		"\u2060\u2066\u2067\u2068\u2069\ufeff\ufff9\U000e0041"
	for _, r := range invisible {
		texts = append(texts, string(r)+"b")
	}
	return append(texts, "", "\x00", "a\x00b", "\r\n", "one\ntwo", "one\r\ntwo\r\n", "\x1b[2J\x1b]0;title\a\x1b]52;c;ZWNobw==\a\x1bP1$r\x1b\\",
		"\x9b31m", "\xc2\x9b31m", "\xff\xfe", "\xed\xa0\x80", "\xf4\x90\x80\x80", `"}],;`+"\x1b",
		"<0>1 - - - - - -\n<0>1 forged", "MESSAGE=a\nPRIORITY=0\n",
		"\n\n{\"id\":\"forged\"}\n", "caf\u00e9 \u4e16 \U0001f600", strings.Repeat("\x1b\u202e\xff\n", 400))
}

// hostileEvents returns events with a hostile text in each field, a gap and a summary.
func hostileEvents() (events []event.Event) {
	for i, text := range hostileTexts() {
		events = append(events, event.Event{
			JournalID: "6a9155caa46c7dcc", Seq: uint64(i + 1), Time: parseTime("2026-01-02T03:04:05Z"),
			Host: text, Family: "genltest", Group: "mcgrp", Message: []byte(text),
			Captures: []event.Capture{{Name: "all", Value: []byte(text)}},
			Origin:   &event.Origin{Labels: []event.Label{{Name: "site", Value: `b "7" ü`}}},
		})
	}
	for i, text := range hostileTexts() {
		e := events[i]
		e.Seq, e.Message, e.Family, e.Group, e.Content = uint64(2000+i), nil, text, text, hostileContent(text)
		events = append(events, e)
	}
	gap, summary := events[0], events[0]
	gap.Seq, gap.Message, gap.Gap = 1000, nil, &event.Gap{Count: 1, Reason: "kernel_buffer"}
	summary.Seq, summary.Message, summary.Suppressed = 1001, nil, &event.Suppressed{Count: 1, Reason: "dedup"}
	return append(events, gap, summary)
}

// hostileContent returns a message with a hostile text in each part. Names cannot be hostile
// today: specifications accept letters, digits and a few other characters.
func hostileContent(text string) *event.Content {
	var b event.ObjectBuilder
	b.Reset()
	b.BeginObject("header")
	b.Text("dev-name", []byte(text))
	b.End()
	b.Text(text, []byte(text))
	b.BeginObject(text)
	b.Text("firmware", []byte(text))
	b.BeginList(text)
	b.Text("", []byte(text))
	b.End()
	b.End()
	return &event.Content{Command: text, Attributes: b.Object(), Error: text, Raw: []byte(text)}
}

// hostileForms are the envelopes of the table, as keys of a sink.
var hostileForms = []struct{ name, yaml string }{
	{"`json`", "envelope: json"},
	{"`cloudevents`", "envelope: cloudevents"},
	{"`logfmt`", "envelope: logfmt"},
	{"`rfc5424`", "envelope: rfc5424"},
	{"`template`", `{envelope: template, template: "<{{.Text}}{{.Host}}{{.Captures}}{{.Captures.all}}{{printf \"%s\" .Message}}{{.Labels}}` +
		`{{.Command}}{{.Error}}{{.Attributes}}{{.Attributes.header.dev_name}}"}`},
	{
		"`template` of JSON",
		`{envelope: template, content_type: application/json, ` +
			`template: "[{{json .Text}},{{json .Host}},{{json .Captures}},{{json .Attributes}},{{json .Attributes.header.dev_name}}]"}`,
	},
	{"`template` with `raw`", `{envelope: template, template: "<{{raw .Text}}"}`},
	{"`raw`", "envelope: raw"},
}

// The table of docs/envelopes.md shows for each envelope and each destination whether control
// characters can leave the daemon. The test generates it from delivered events.
func TestEnvelopesPageListsWhereControlCharactersPass(t *testing.T) {
	const page, begin, end = "../docs/envelopes.md", "<!-- made by TestEnvelopesPageListsWhereControlCharactersPass -->\n", "<!-- end -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s does not contain the marks of the table", page)
	}
	got := hostileTable(t)
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+got+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		table = got
	}
	if diff := cmp.Diff(table, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", page, diff)
	}
}

func hostileTable(t *testing.T) string {
	var table strings.Builder
	table.WriteString("| place |")
	for _, form := range hostileForms {
		table.WriteString(" " + form.name + " |")
	}
	table.WriteString("\n| --- |" + strings.Repeat(" --- |", len(hostileForms)) + "\n")
	for _, destination := range hostileDestinations {
		table.WriteString("| " + destination.name + " |")
		for _, form := range hostileForms {
			fmt.Fprintf(&table, " %s |", destination.evaluate(t, form.yaml))
		}
		table.WriteString("\n")
	}
	return table.String()
}

// A hostileDestination is a destination of events.
type hostileDestination struct {
	name string
	// open returns the keys of the sink, and a function that returns the data that has
	// arrived for each of n delivered events.
	open func(t *testing.T, out *bytes.Buffer) (yaml string, arrived func(n int) [][]byte)
}

// evaluate delivers hostile events and returns the cell of the table.
func (p *hostileDestination) evaluate(t *testing.T, form string) string {
	t.Helper()
	var out bytes.Buffer
	yaml, arrived := p.open(t, &out)
	if strings.HasPrefix(yaml, "journald") {
		if form != "envelope: json" {
			return "-"
		}
		form = "{}"
	}
	entry := "- <<: " + flow(form) + "\n  name: out\n  extract: '(?P<all>.*)'\n  " + yaml + "\n"
	cfg := parse(t, "event: {labels: {site: x}}\nfamilies: [genltest, ethtool]\nsinks:\n"+entry)
	if err := Check(cfg, Dirs{}); err != nil {
		if strings.Contains(err.Error(), "its events cannot form an array") {
			return "-"
		}
		t.Fatal(err)
	}
	state := t.TempDir()
	if err := os.Mkdir(filepath.Join(state, "sinks"), 0o700); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s, err := newSink(&cfg.Sinks[0], &Options{Stdout: &out, Dirs: Dirs{State: state}, Machine: &emptyMachine, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	events := deliverAll(t, s, hostileEvents())
	return verdict(t, arrived(len(events)), events)
}

func flow(form string) string {
	if strings.HasPrefix(form, "{") {
		return form
	}
	return "{" + form + "}"
}

// deliverAll returns the events that the sink has accepted. Only events with an empty text,
// which cannot be a syslog message, may be refused.
func deliverAll(t *testing.T, s sink.Sink, events []event.Event) (accepted []event.Event) {
	t.Helper()
	for len(events) > 0 {
		n, err := s.Deliver(t.Context(), events)
		accepted, events = append(accepted, events[:n]...), events[n:]
		if err == nil {
			continue
		}
		if sink.Poisoned(err) != 1 || len(event.WithoutBreak(events[0].Message)) > 0 {
			t.Fatalf("%q: %v", events[0].Message, err)
		}
		events = events[1:]
	}
	return accepted
}

// verdict returns "escaped" if all data is visible, and "exact bytes" if it contains the bytes
// of each text.
func verdict(t *testing.T, arrived [][]byte, events []event.Event) string {
	t.Helper()
	if len(arrived) != len(events) {
		t.Fatalf("%d events have arrived, want %d", len(arrived), len(events))
	}
	visible, exact := true, true
	for i, unit := range arrived {
		visible = visible && event.IsVisible(bytes.TrimPrefix(unit, []byte("x\ufeff")))
		exact = exact && bytes.Contains(unit, events[i].Message)
	}
	switch {
	case visible:
		return "escaped"
	case exact:
		return "exact bytes"
	}
	t.Errorf("some control characters pass, and others do not: %q", arrived)
	return "?"
}
