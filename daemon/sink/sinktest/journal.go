// SPDX-License-Identifier: Apache-2.0

package sinktest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"testing"
)

// ParseEntry reads an entry of journald's native protocol. A field is NAME=VALUE, or NAME, a
// newline, the length in 64 bits and the value. A newline ends each field.
func ParseEntry(t *testing.T, entry []byte) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for len(entry) > 0 {
		line, _, ok := bytes.Cut(entry, []byte("\n"))
		if !ok {
			t.Fatalf("no newline in the rest %q", entry)
		}
		name, value, inLine := bytes.Cut(line, []byte("="))
		entry = entry[len(line)+1:]
		if !inLine {
			if len(entry) < 8 {
				t.Fatalf("no length after %q", name)
			}
			n := binary.LittleEndian.Uint64(entry)
			if entry = entry[8:]; n >= uint64(len(entry)) || entry[n] != '\n' {
				t.Fatalf("%s has the length %d before %q", name, n, entry)
			}
			value, entry = entry[:n], entry[n+1:]
		}
		if _, twice := all[string(name)]; twice {
			t.Errorf("the entry contains the field %q twice", name)
		}
		all[string(name)] = string(value)
	}
	return all
}

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
