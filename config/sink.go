// SPDX-License-Identifier: Apache-2.0

package config

import (
	"reflect"
	"slices"
)

// A Sink is one destination of the events, and how it is delivered to.
type Sink struct {
	// Name is unique: it is the sink's label in metrics and log.
	Name string `yaml:"name" required:"true" example:"archive"`

	// BatchEvents is how many events one attempt carries at most.
	BatchEvents int `yaml:"batch_events" default:"256" min:"1" max:"10000"`
	// AttemptTimeout ends an attempt that hangs.
	AttemptTimeout Duration `yaml:"attempt_timeout" default:"10s" min:"1ms" max:"1h"`
	// RetryMin and RetryMax are the first and the longest pause between
	// attempts.
	RetryMin Duration `yaml:"retry_min" default:"100ms" min:"1ms" max:"24h"`
	RetryMax Duration `yaml:"retry_max" default:"30s" min:"1ms" max:"24h"`

	Stdout *Stdout `yaml:"stdout"`
	File   *File   `yaml:"file"`
}

// Stdout writes events to standard output, one JSON object a line.
type Stdout struct{}

// File appends events to a file, one JSON object a line.
type File struct {
	// Path is absolute: a daemon's working directory is nobody's guess.
	Path string `yaml:"path" required:"true" example:"/var/log/genltestd/events.jsonl"`
	// Mode is what a new file is created with, less the umask.
	Mode FileMode `yaml:"mode" default:"0640"`
	// Fsync says when the file is forced to disk.
	Fsync Fsync `yaml:"fsync" default:"batch"`
}

// Kind returns the key that says what the sink is: "stdout" or "file". It is
// empty for a Sink that Validate refuses for want of one.
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
