// SPDX-License-Identifier: Apache-2.0

package sinktest

import (
	"bytes"
	"encoding/json"
	"testing"
)

// ParseJournal reads entries of the systemd journal as journalctl -o json prints them.
func ParseJournal(t *testing.T, out []byte) (entries []map[string]string) {
	t.Helper()
	for line := range bytes.Lines(out) {
		var entry map[string]journalText
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatalf("%v: %.200q", err, line)
		}
		plain := make(map[string]string, len(entry))
		for name, value := range entry {
			plain[name] = string(value)
		}
		entries = append(entries, plain)
	}
	return entries
}

// journalText is printed as a list of numbers if it is not printable.
type journalText string

func (v *journalText) UnmarshalJSON(raw []byte) error {
	if !bytes.HasPrefix(raw, []byte("[")) {
		return json.Unmarshal(raw, (*string)(v))
	}
	var numbers []int
	if err := json.Unmarshal(raw, &numbers); err != nil {
		return err
	}
	text := make([]byte, len(numbers))
	for i, n := range numbers {
		text[i] = byte(n)
	}
	*v = journalText(text)
	return nil
}
