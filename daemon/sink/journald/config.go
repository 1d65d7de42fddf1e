// SPDX-License-Identifier: Apache-2.0

package journald

import (
	_ "embed" // for the reference
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/coreos/go-systemd/v22/journal"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Kind is the kind of sink that writes to the systemd journal.
func Kind() sink.Kind {
	return sink.Kind{
		Name: "journald", Summary: "writes entries with fields to the systemd journal",
		Reference: reference, New: func() sink.Config { return new(Config) },
		Words: []strict.VariantWords{
			{Words: "journal systemd systemd_journal sd_journal"},
		},
	}
}

//go:embed reference.yaml
var reference []byte

// Config is the value of the key journald.
type Config struct {
	// Socket is the socket of journald's native protocol.
	Socket string `yaml:"socket" default:"/run/systemd/journal/socket"`
	// Identifier is SYSLOG_IDENTIFIER, which journalctl -t selects by.
	Identifier string `yaml:"identifier" default:"genltest"`
	// Priority is the priority of every entry, except that gaps are at least warnings. The
	// priority emerg is excluded: journald would write the text to every terminal.
	Priority string `yaml:"priority" default:"info" oneof:"alert crit err warning notice info debug"`
	// Fields are added to every entry.
	Fields []Field `yaml:"fields"`
}

// A Field is a field with the same value in every entry.
type Field struct {
	Name  string `yaml:"name" required:"true" example:"SITE" name:"true"`
	Value string `yaml:"value" default:""`
}

var (
	_ sink.Config      = (*Config)(nil)
	_ sink.FieldWriter = (*Config)(nil)
	_ sink.Peer        = (*Config)(nil)
	_ strict.Foreign   = (*Config)(nil)
	_                  = []strict.Checker{(*Config)(nil), (*Field)(nil)}
)

// Check implements strict.Checker.
func (j *Config) Check(s strict.Section) {
	switch {
	case !filepath.IsAbs(j.Socket):
		s.Errorf("socket", "%s is not absolute; begin it with /", strict.Quote(j.Socket))
	case strings.ContainsFunc(j.Socket, unicode.IsControl):
		s.Errorf("socket", "%s has a control character; leave it out", strict.Quote(j.Socket))
	}
	if j.Identifier == "" || strings.ContainsFunc(j.Identifier, unicode.IsControl) {
		s.Errorf("identifier", "%s is not an identifier; write a word, like genltest", strict.Quote(j.Identifier))
	}
	firsts := make(map[string]strict.Section)
	for i, f := range j.Fields {
		s.At("fields", i).Unique(firsts, "name", f.Name, "give each field once")
	}
}

var (
	journaldField = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	// Fields that the sink writes itself, or that journald interprets.
	journaldReserved = []string{"MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "OBJECT_PID"}
)

// Check implements strict.Checker.
func (f *Field) Check(s strict.Section) {
	switch {
	case f.Name == "":
	case !journaldField.MatchString(f.Name):
		s.Errorf("name", `%s is not a valid name of a field; write at most 64 of A-Z, 0-9 and "_", beginning with a letter: `+
			"journald leaves out any other field", strict.Quote(f.Name))
	case slices.Contains(journaldReserved, f.Name), strings.HasPrefix(f.Name, "GENLTEST_"):
		s.Errorf("name", "%s has a meaning of its own; choose another name", strict.Quote(f.Name))
	}
}

// ForeignKeys implements strict.Foreign.
func (j *Config) ForeignKeys() []strict.ForeignKey {
	return []strict.ForeignKey{
		{Words: "tag ident app_name syslog_identifier", Key: "identifier"},
		{Words: "severity level", Key: "priority"},
		{Words: "path address", Key: "socket"},
	}
}

// HasOwnFields implements sink.FieldWriter.
func (j *Config) HasOwnFields() bool { return true }

// Peers implements sink.Peer.
func (j *Config) Peers() []sink.PeerSocket {
	return []sink.PeerSocket{{Key: "socket", Path: j.Socket}}
}

// New implements sink.Config.
func (j *Config) New(sink.Env) (sink.Sink, error) { return New(j), nil }

func (j *Config) priority() journal.Priority {
	words := []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
	return journal.Priority(slices.Index(words, j.Priority))
}
