// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A Sink is one destination of the events, and how it is delivered to.
type Sink struct {
	// Name is unique: it is the sink's label in metrics and log.
	Name string `yaml:"name" required:"true" example:"archive"`

	// Start says where a sink begins that is new.
	Start Start `yaml:"start" default:"oldest"`

	// Filter is an expression that is true for the events that the sink gets; empty
	// is for all of them. Extract is a regular expression whose named groups are
	// taken out of the text. See package match.
	Filter  string `yaml:"filter" default:""`
	Extract string `yaml:"extract" default:""`
	// Sample is of how many events the sink gets one.
	Sample    int       `yaml:"sample" default:"1" min:"1" max:"1000000000" unit:"events"`
	Dedup     Dedup     `yaml:"dedup"`
	RateLimit RateLimit `yaml:"rate_limit"`

	// BatchEvents and BatchBytes are how much one attempt carries at most; bytes
	// are those of the texts.
	BatchEvents int  `yaml:"batch_events" default:"256" min:"1" max:"10000" unit:"events"`
	BatchBytes  Size `yaml:"batch_bytes" default:"1MiB" min:"1KiB" max:"64MiB"`
	// BatchWait is how long an event may wait for others of its batch.
	BatchWait Duration `yaml:"batch_wait" default:"50ms" min:"0" max:"1m"`
	// Workers is how many attempts may be under way at once. More than one gives
	// up the order.
	Workers int `yaml:"workers" default:"1" min:"1" max:"64" unit:"attempts"`
	// AttemptTimeout ends an attempt that hangs.
	AttemptTimeout Duration `yaml:"attempt_timeout" default:"10s" min:"1ms" max:"1h"`
	// RetryMin and RetryMax are the first and the longest pause between
	// attempts.
	RetryMin Duration `yaml:"retry_min" default:"100ms" min:"1ms" max:"24h"`
	RetryMax Duration `yaml:"retry_max" default:"30s" min:"1ms" max:"24h"`

	// MaxLagBytes is how much the sink may be behind, in the journal's bytes, and
	// MaxAge how old an event may be: what is beyond is dropped. 0 is no limit.
	MaxLagBytes Size     `yaml:"max_lag_bytes" default:"0" min:"0"`
	MaxAge      Duration `yaml:"max_age" default:"0" min:"0" max:"87600h"`
	// Overflow says what happens when the journal's limit reaches the sink.
	Overflow Overflow `yaml:"overflow" default:"drop"`
	// DeadLetters is about the events that the sink refuses for good.
	DeadLetters DeadLetters `yaml:"dead_letters"`

	// Envelope is the form in which the sink gets events; the rest is about some of
	// the envelopes.
	Envelope    Envelope    `yaml:"envelope" default:"auto"`
	Template    string      `yaml:"template" default:""`
	ContentType string      `yaml:"content_type" default:""`
	CloudEvents CloudEvents `yaml:"cloudevents"`
	RFC5424     RFC5424     `yaml:"rfc5424"`

	Stdout   *Stdout   `yaml:"stdout"`
	File     *File     `yaml:"file"`
	Webhook  *Webhook  `yaml:"webhook"`
	Socket   *Socket   `yaml:"socket"`
	Syslog   *Syslog   `yaml:"syslog"`
	Journald *Journald `yaml:"journald"`
	Exec     *Exec     `yaml:"exec"`
}

// DeadLetters limits what is kept of the events that a sink has refused for good.
type DeadLetters struct {
	MaxBytes Size     `yaml:"max_bytes" default:"64MiB" min:"1MiB"`
	MaxAge   Duration `yaml:"max_age" default:"720h" min:"0" max:"87600h"`
}

// NoSink says that there is no sink of a name, and which one was likely meant, or all
// there are.
func (c *Config) NoSink(name string) string {
	names := make([]string, len(c.Sinks))
	for i, s := range c.Sinks {
		names[i] = s.Name
	}
	advice := "its sinks are " + shorten(strings.Join(names, ", "))
	if best := closest(name, names); best != "" {
		advice = fmt.Sprintf("did you mean %q?", best)
	}
	return fmt.Sprintf("the configuration has no sink %s; %s", quote(name), advice)
}

// Kind returns the key that says what the sink is, like "file". It is empty for a
// Sink that Validate refuses for want of one.
func (s *Sink) Kind() string {
	if kinds := s.kinds(); len(kinds) > 0 {
		return kinds[0]
	}
	return ""
}

// kinds are the kinds that are set; a valid sink has one.
func (s *Sink) kinds() []string {
	v := reflect.ValueOf(s).Elem()
	return slices.DeleteFunc(sinkKinds(), func(kind string) bool {
		return v.Field(slices.Index(keysOf(v.Type()), kind)).IsNil()
	})
}

// sinkKinds are all that there are.
func sinkKinds() []string {
	var kinds []string
	t := reflect.TypeFor[Sink]()
	for i, key := range keysOf(t) {
		if t.Field(i).Type.Kind() == reflect.Pointer {
			kinds = append(kinds, key)
		}
	}
	return kinds
}
