// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/internal/similar"
)

// A Sink is one destination of the events, with the keys that all kinds share.
type Sink struct {
	// Name is unique: it is the sink's label in metrics and log.
	Name string `yaml:"name" required:"true" example:"archive" name:"true"`

	// Start is where a new sink begins.
	Start string `yaml:"start" default:"oldest" oneof:"oldest now"`

	// Filter is an expression that is true for the events that the sink receives; empty
	// means all of them. Extract is a regular expression whose named groups become
	// captures. See package match.
	Filter  string `yaml:"filter" default:"" public:"true"`
	Extract string `yaml:"extract" default:"" public:"true"`
	// Sample is the number of events of which the sink receives one.
	Sample    int       `yaml:"sample" default:"1" min:"1" max:"1000000000" unit:"events"`
	Dedup     Dedup     `yaml:"dedup"`
	RateLimit RateLimit `yaml:"rate_limit"`

	// BatchEvents and BatchBytes limit one attempt; bytes are those of the texts.
	BatchEvents int        `yaml:"batch_events" default:"256" min:"1" max:"10000" unit:"events"`
	BatchBytes  value.Size `yaml:"batch_bytes" default:"1MiB" min:"1KiB" max:"64MiB"`
	// BatchWait limits the time for which an event waits for others of its batch.
	BatchWait value.Duration `yaml:"batch_wait" default:"50ms" min:"0" max:"1m"`
	// Workers limits the number of concurrent attempts. With more than one, events can arrive
	// out of order.
	Workers int `yaml:"workers" default:"1" min:"1" max:"64" unit:"attempts"`
	// AttemptTimeout limits the duration of an attempt.
	AttemptTimeout value.Duration `yaml:"attempt_timeout" default:"10s" min:"1ms" max:"1h"`
	// RetryMin and RetryMax are the first and the longest pause between attempts.
	RetryMin value.Duration `yaml:"retry_min" default:"100ms" min:"1ms" max:"24h"`
	RetryMax value.Duration `yaml:"retry_max" default:"30s" min:"1ms" max:"24h"`

	// MaxLagBytes limits the lag of the sink, in bytes of the journal, and MaxAge the age
	// of an event. Events beyond a limit are dropped. 0 means no limit.
	MaxLagBytes value.Size     `yaml:"max_lag_bytes" default:"0" min:"0"`
	MaxAge      value.Duration `yaml:"max_age" default:"0" min:"0" max:"87600h"`
	// Overflow is the reaction to the limit of the journal: see OverflowDrop.
	Overflow string `yaml:"overflow" default:"drop" oneof:"drop block"`
	// DeadLetters is about the events with a permanent error.
	DeadLetters DeadLetters `yaml:"dead_letters"`

	// Envelope is the form in which the sink receives events. The keys after it are for some
	// of the envelopes.
	Envelope    string      `yaml:"envelope" default:"auto" oneof:"auto json raw cloudevents rfc5424 template logfmt"`
	Template    string      `yaml:"template" default:"" public:"true"`
	ContentType string      `yaml:"content_type" default:""`
	CloudEvents CloudEvents `yaml:"cloudevents"`
	RFC5424     RFC5424     `yaml:"rfc5424"`

	// Kind is the key that selects the kind, such as "file"; Config is the value of that key.
	Kind   string      `yaml:"-"`
	Config sink.Config `union:"Kind"`
}

var (
	_ strict.Checker     = (*Sink)(nil)
	_ strict.Conditional = (*Sink)(nil)
	_ strict.Union       = (*Sink)(nil)
	_ strict.Guide       = (*Sink)(nil)
	_ strict.Foreign     = (*Sink)(nil)
)

// Noun implements strict.Union.
func (k *Sink) Noun() string { return "sink" }

// ShapeAdvice implements strict.Guide.
func (k *Sink) ShapeAdvice(bool) string {
	return "a sink has a name and a kind, like {name: archive, file: {path: /var/log/events.jsonl}}"
}

// DeadLetters limits the events that are kept after a permanent error.
type DeadLetters struct {
	MaxBytes value.Size     `yaml:"max_bytes" default:"64MiB" min:"1MiB"`
	MaxAge   value.Duration `yaml:"max_age" default:"720h" min:"0" max:"87600h"`
}

// NoSink returns the error text for the name of a sink that does not exist. It contains a
// similar name, or all names.
func (c *Config) NoSink(name string) string {
	names := make([]string, len(c.Sinks))
	for i, s := range c.Sinks {
		names[i] = s.Name
	}
	advice := "its sinks are " + strict.Shorten(strings.Join(names, ", "))
	if best := similar.Closest(name, names); best != "" {
		advice = fmt.Sprintf("did you mean %q?", best)
	}
	return fmt.Sprintf("the configuration has no sink %s; %s", strict.Quote(name), advice)
}

// The words of Sink.Start and Sink.Overflow.
const (
	// StartOldest begins with the oldest event in the journal.
	StartOldest = "oldest"
	// StartNow begins with the next event that is received.
	StartNow = "now"
	// OverflowDrop drops the oldest events that the sink has not accepted, when the journal is
	// full.
	OverflowDrop = "drop"
	// OverflowBlock keeps them: the journal accepts no more events.
	OverflowBlock = "block"
)
