// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/cmd/internal/plural"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/event"
)

// An outputFormat is the value of --output.
type outputFormat string

const (
	outputText outputFormat = "text"
	outputJSON outputFormat = "json"
)

func outputFormats() []string { return []string{string(outputText), string(outputJSON)} }

func (f *outputFormat) String() string { return string(*f) }
func (*outputFormat) Type() string     { return "format" }

// Set implements pflag.Value.
func (f *outputFormat) Set(text string) error {
	if !slices.Contains(outputFormats(), text) {
		return fmt.Errorf("use %s", strings.Join(outputFormats(), " or "))
	}
	*f = outputFormat(text)
	return nil
}

// A writer prints tables or JSON. It escapes control characters in texts, which are
// untrusted: the senders of events and the servers of sinks define them.
type writer struct {
	out    *bufio.Writer
	format outputFormat
	width  int // of the terminal; 0 if out is not a terminal, and no line is cut
	color  bool
	table  table
}

func (s *session) writer() *writer {
	return &writer{out: bufio.NewWriter(s.out), format: s.output, width: terminalWidth(s.out), color: usesColor(s.out)}
}

// flush also prints the table.
func (w *writer) flush() error {
	w.print(&w.table)
	return w.out.Flush()
}

func (w *writer) json(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.out.Write(append(event.AppendVisibleJSON(nil, text), '\n'))
	return err
}

func (w *writer) box(b api.Box) error {
	if w.format == outputJSON {
		return w.json(b)
	}
	w.table.columns = []column{
		{title: "SINK"},
		{title: "LETTERS", right: true},
		{title: "TO REPLAY", right: true},
		{title: "BYTES", right: true},
		{title: "EXPIRED", right: true},
		{title: "DAMAGED", right: true},
		{}, // the fault
	}
	if b.Fault != "" {
		w.table.add(b.Sink, "?", "?", "?", "?", "?", b.Fault)
	} else {
		w.table.add(b.Sink, b.Letters, b.ToReplay, b.Bytes, b.Expired, b.Damaged, "")
	}
	return nil
}

func (w *writer) letter(l *api.Letter) error {
	if w.format == outputJSON {
		return w.json(l)
	}
	w.table.columns = []column{
		{title: "ID"},
		{title: "REFUSED"},
		{title: "ATTEMPTS", right: true},
		{title: "KIND"},
		{title: "REASON", most: 40},
		{title: "TEXT"},
	}
	w.table.add(l.ID, l.Refused.Format(time.RFC3339), l.Attempts, kindOf(l), l.Reason, textOf(l.Event))
	return nil
}

// kindOf returns the kind of a letter's reason with its status, or "-" if the kind is unknown.
func kindOf(l *api.Letter) string {
	switch {
	case l.Kind == "":
		return "-"
	case l.Status == 0:
		return visible(l.Kind)
	}
	return fmt.Sprintf("%s %d", visible(l.Kind), l.Status)
}

// textOf returns an event's text, or its command and attributes, or the kind of another
// event in parentheses.
func textOf(raw json.RawMessage) string {
	var e struct {
		Kind    string
		Message *string
		Bytes   []byte `json:"message_base64"`

		Command    *string
		Attributes json.RawMessage
	}
	switch err := json.Unmarshal(raw, &e); {
	case err == nil && e.Bytes != nil:
		return visible(string(e.Bytes))
	case err == nil && e.Message != nil:
		return visible(*e.Message)
	case err == nil && e.Command != nil:
		return visible(strings.TrimPrefix(*e.Command+" "+string(e.Attributes), " "))
	case err == nil && e.Kind != "":
		return "(" + visible(e.Kind) + ")"
	}
	return "(no event)"
}

func (s *session) showLetter(sink string, l *api.Letter) error {
	w := s.writer()
	if w.format == outputJSON {
		if err := w.json(l); err != nil {
			return err
		}
		return w.flush()
	}
	for _, field := range [][2]string{
		{"id", l.ID},
		{"sink", sink},
		{"received", l.Received.Format(time.RFC3339Nano)},
		{"refused", l.Refused.Format(time.RFC3339Nano)},
		{"attempts", fmt.Sprint(l.Attempts)},
		{"kind", kindOf(l)},
		{"reason", l.Reason},
	} {
		fmt.Fprintf(w.out, "%-9s %s\n", field[0], visible(field[1]))
	}
	fmt.Fprintf(w.out, "%-9s %s\n", "text", textOf(l.Event))
	fmt.Fprintf(w.out, "%-9s %s\n", "event", visible(string(l.Event)))
	return w.flush()
}

func (s *session) report(n int, what string) error {
	w := s.writer()
	if w.format == outputJSON {
		if err := w.json(api.Count{Letters: n}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(w.out, "%s %s\n", plural.Count(n, "dead letter"), what)
	}
	return w.flush()
}

func visible(text string) string { return string(event.AppendVisible(nil, []byte(text))) }

// cut shortens a visible text to width characters.
func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	n := 0
	for i := range text {
		if n++; n == width {
			return text[:i] + "…"
		}
	}
	return text
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func terminalWidth(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}
