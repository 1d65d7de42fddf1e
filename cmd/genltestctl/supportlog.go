// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/genltestd/genltestd/daemon/messages/texts"
)

// A logEntry is an entry of the systemd journal as journalctl prints it: each value is a text, a list of bytes,
// a list of such values, or null.
type logEntry map[string]json.RawMessage

// collectLog returns the last log lines of the unit without text of events.
func collectLog(ctx context.Context) ([]byte, error) {
	text, err := runProgram(ctx, "journalctl", "--no-pager", "--all", "--unit", unitName, "--lines", logLines, "--output", "json")
	if err != nil {
		return nil, err
	}
	return logText(text)
}

// logText returns the lines for the output of journalctl.
func logText(text []byte) ([]byte, error) {
	var out bytes.Buffer
	for _, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var e logEntry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("a line of journalctl is not JSON: %w", err)
		}
		fmt.Fprintf(&out, "%s %s %s\n", e.time(), e.priority(), visible(e.line()))
	}
	return out.Bytes(), nil
}

// get returns a field. A field with several values is the first one.
func (e logEntry) get(name string) string {
	var text string
	var raw []byte
	var numbers []int
	switch value := e[name]; {
	case json.Unmarshal(value, &text) == nil:
		return text
	case json.Unmarshal(value, &numbers) == nil:
		for _, n := range numbers {
			raw = append(raw, byte(n))
		}
		return string(raw)
	}
	var several []json.RawMessage
	if json.Unmarshal(e[name], &several) != nil || len(several) == 0 {
		return ""
	}
	return logEntry{name: several[0]}.get(name)
}

func (e logEntry) time() string {
	micros, err := strconv.ParseInt(e.get("__REALTIME_TIMESTAMP"), 10, 64)
	if err != nil {
		return "-"
	}
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.000000Z")
}

func (e logEntry) priority() string {
	names := []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
	n, err := strconv.Atoi(e.get("PRIORITY"))
	if err != nil || n < 0 || n >= len(names) {
		return "-"
	}
	return names[n]
}

// line returns the text of an entry. Only the daemon's own messages, those of systemd about the unit, and the
// lines of a stack are shown: sinks can write events to the same log.
func (e logEntry) line() string {
	text := e.get("MESSAGE")
	message, quotes, known := texts.Text(e.get("MESSAGE_ID"))
	switch {
	case known && e.get("_TRANSPORT") == "journal" && e.get("SYSLOG_IDENTIFIER") == "genltestd" && quotes:
		return "msg=" + strconv.Quote(message) + e.attributes()
	case known && e.get("_TRANSPORT") == "journal" && e.get("SYSLOG_IDENTIFIER") == "genltestd":
		return text
	case e.get("_PID") == "1" && e.get("_COMM") == "systemd":
		return text
	case isStack(text):
		return strings.ReplaceAll(text, "\t", "    ")
	}
	crash := ""
	for _, prefix := range []string{"panic: ", "fatal error: "} {
		if strings.HasPrefix(text, prefix) {
			crash = prefix
		}
	}
	return fmt.Sprintf("%s(omitted: %d bytes that may be an event)", crash, len(text)-len(crash))
}

// harmless are the attributes that never contain text of an event.
var harmless = []string{
	"COMPONENT", "SINK", "FAMILY", "KIND", "FOR", "EVENTS", "RECORDS", "BYTES", "SEQ", "ID", "SUCH_LINES_LEFT_OUT",
}

// attributes returns the attributes of an entry whose other attributes may quote an event.
func (e logEntry) attributes() string {
	var b strings.Builder
	var names []string
	for field := range e {
		if name, ok := strings.CutPrefix(field, "GENLTESTD_"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		value := e.get("GENLTESTD_" + name)
		if !slices.Contains(harmless, name) {
			value = maskQuotes(value)
		}
		fmt.Fprintf(&b, " %s=%s", strings.ToLower(name), strconv.Quote(value))
	}
	return b.String()
}

// stackLine matches a line that the Go runtime prints when a process crashes, without the text of a panic.
var stackLine = regexp.MustCompile(`^(` +
	`goroutine \d+ (gp=\S+ m=\S+ (mp=\S+ )?)?\[[a-zA-Z0-9 ,()-]+\]:` +
	`|\s+/?[\w./@~!+-]+\.(go|s):\d+( \+0x[0-9a-f]+)?` +
	`|(created by )?[\w./@~!+-]+\.[\w./()*\[\]·-]+\((0x[0-9a-f]+|[{}, .?])*\)( in goroutine \d+)?` +
	`|created by [\w./@~!+-]+\.[\w./()*\[\]·-]+ in goroutine \d+` +
	`|\[signal SIG[A-Z]+: [a-z ]+code=0x[0-9a-f]+ addr=0x[0-9a-f]+ pc=0x[0-9a-f]+\]` +
	`)$`)

func isStack(text string) bool { return stackLine.MatchString(text) }
