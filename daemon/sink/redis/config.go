// SPDX-License-Identifier: Apache-2.0

package redis

import (
	_ "embed" // for the reference
	"strings"
	"unicode"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Kind is the kind of sink that adds entries to Redis streams.
func Kind() sink.Kind {
	return sink.Kind{
		Name: "redis", Summary: "adds entries to Redis streams, in transactions",
		Reference: reference, New: func() sink.Config { return new(Config) },
		Words: []strict.VariantWords{
			{Words: "valkey keydb redis_streams redis_stream redisstream rediss xadd"},
		},
	}
}

//go:embed reference.yaml
var reference []byte

// Config is the value of the key redis.
type Config struct {
	// Address is redis://HOST:PORT, rediss://HOST:PORT (TLS) or unix:///PATH.
	Address value.Address `yaml:"address" required:"true" example:"redis://redis.example.com:6379" path:"true"`
	// User and Password are those of AUTH. The empty user is that of Redis: default.
	User     string       `yaml:"user" default:""`
	Password value.Secret `yaml:"password"`
	Database int          `yaml:"database" default:"0" min:"0" max:"1000000" unit:"number of a database"`

	// Stream is the key of the stream, a template.
	Stream string `yaml:"stream" default:"genltestd"`
	// IDField and EventField are the fields of an entry with the event's id and the encoded event.
	IDField    string `yaml:"id_field" default:"id"`
	EventField string `yaml:"event_field" default:"event"`
	// Fields are more fields of an entry.
	Fields []Field `yaml:"fields"`

	// MaxLength and MaxAge limit a stream approximately. At most one of them is not 0.
	MaxLength int            `yaml:"max_length" default:"0" min:"0" unit:"entries"`
	MaxAge    value.Duration `yaml:"max_age" default:"0" min:"0"`

	// Replicas is the number of replicas that must acknowledge an event within ReplicaTimeout.
	Replicas       int            `yaml:"replicas" default:"0" min:"0" max:"100" unit:"replicas"`
	ReplicaTimeout value.Duration `yaml:"replica_timeout" default:"5s" min:"1ms" max:"1h"`

	// TLS is for rediss://.
	TLS value.TLS `yaml:"tls"`
}

// A Field is one field of an entry.
type Field struct {
	Name  string `yaml:"name" required:"true" example:"host" name:"true"`
	Value string `yaml:"value" required:"true" example:"on {{.Host}}"` // a template
}

var (
	_ sink.Config        = (*Config)(nil)
	_ sink.Peer          = (*Config)(nil)
	_ sink.SlowSink      = (*Config)(nil)
	_ sink.Templater     = (*Config)(nil)
	_ sink.Verifier      = (*Config)(nil)
	_ strict.Checker     = (*Config)(nil)
	_ strict.Conditional = (*Config)(nil)
	_ strict.Foreign     = (*Config)(nil)
)

// schemeTLS is the scheme of addresses with TLS.
const schemeTLS = "rediss"

// Check implements strict.Checker.
func (c *Config) Check(s strict.Section) {
	c.Address.Check(s, "address", "redis", schemeTLS, "unix")
	c.TLS.CheckScheme(s, schemeTLS, c.Address)
	switch {
	case c.User != "" && c.Password.IsZero():
		s.Errorf("user", "requires a password; add password")
	case strings.ContainsFunc(c.User, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		s.Errorf("user", "has a space or a control character, which a user of Redis cannot have; write the name alone")
	}
	if c.MaxLength > 0 && c.MaxAge > 0 {
		s.Errorf("max_age", "max_length is set too%s, and Redis applies only one limit; leave one of them out", s.Line("max_length"))
	}
	c.checkFields(s)
}

func (c *Config) checkFields(s strict.Section) {
	const advice = "give each field once"
	firsts := make(map[string]strict.Section)
	for _, own := range []struct{ key, name string }{{"id_field", c.IDField}, {"event_field", c.EventField}} {
		if own.name == "" {
			s.Errorf(own.key, "is empty; write the name of a field, or leave the key out")
		}
	}
	if c.IDField == c.EventField && c.IDField != "" {
		s.Errorf("event_field", "is %s, as id_field; choose another name", strict.Quote(c.EventField))
	}
	for i, f := range c.Fields {
		at := s.At("fields", i)
		if f.Name != "" && (f.Name == c.IDField || f.Name == c.EventField) {
			at.Errorf("name", "%s is the field of the id or the event; choose another name", strict.Quote(f.Name))
		}
		at.Unique(firsts, "name", f.Name, advice)
	}
}

// Ineffective implements strict.Conditional.
func (c *Config) Ineffective() []strict.Ineffective {
	if c.Replicas > 0 {
		return nil
	}
	return []strict.Ineffective{{Key: "replica_timeout", Why: "without replicas; leave it out, or add replicas"}}
}
