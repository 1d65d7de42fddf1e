// SPDX-License-Identifier: Apache-2.0

package config

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Journald writes events to the systemd journal, as entries with fields.
type Journald struct {
	// Socket is that of journald's native protocol.
	Socket string `yaml:"socket" default:"/run/systemd/journal/socket"`
	// Identifier is what journalctl -t selects by.
	Identifier string `yaml:"identifier" default:"genltest"`
	// Priority is that of every entry; a gap is at least a warning.
	Priority JournaldPriority `yaml:"priority" default:"info"`
	// Fields are added to every entry.
	Fields []JournaldField `yaml:"fields"`
}

// A JournaldField is a field with the same value in every entry.
type JournaldField struct {
	Name  string `yaml:"name" required:"true" example:"SITE"`
	Value string `yaml:"value" default:""`
}

var _ = []checker{(*Journald)(nil), (*JournaldField)(nil)}

func (j *Journald) check(s section) {
	switch {
	case !filepath.IsAbs(j.Socket):
		s.errorf("socket", "%s is not absolute; begin it with /", quote(j.Socket))
	case strings.ContainsFunc(j.Socket, unicode.IsControl):
		s.errorf("socket", "%s has a control character; leave it out", quote(j.Socket))
	}
	if j.Identifier == "" || strings.ContainsFunc(j.Identifier, unicode.IsControl) {
		s.errorf("identifier", "%s is no identifier; write a word, like genltest", quote(j.Identifier))
	}
	firsts := make(map[string]section)
	for i, f := range j.Fields {
		s.at("fields", i).unique(firsts, "name", f.Name, "give each field once")
	}
}

var (
	journaldField = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	// What the sink itself says, and what journald makes of a field.
	journaldReserved = []string{"MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "OBJECT_PID"}
)

func (f *JournaldField) check(s section) {
	switch {
	case f.Name == "":
	case !journaldField.MatchString(f.Name):
		s.errorf("name", `%s is no name for a field; write at most 64 of A-Z, 0-9 and "_", beginning with a letter: journald leaves out any other field`, quote(f.Name))
	case slices.Contains(journaldReserved, f.Name), strings.HasPrefix(f.Name, "GENLTEST_"):
		s.errorf("name", "%s has a meaning of its own; choose another name", quote(f.Name))
	}
}

// JournaldPriority says how urgent an entry of the journal is, in the words of syslog. There
// is no emerg: journald would write the text to every terminal.
type JournaldPriority string

// UnmarshalText refuses what is none of the words.
func (p *JournaldPriority) UnmarshalText(text []byte) error {
	return oneOf(p, text, "alert", "crit", "err", "warning", "notice", "info", "debug")
}

// MarshalText is the inverse of UnmarshalText.
func (p JournaldPriority) MarshalText() ([]byte, error) { return []byte(p), nil }
