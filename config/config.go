// SPDX-License-Identifier: Apache-2.0

// Package config turns the text of /etc/genltestd.yaml, and of the files that add
// sinks to it, into a typed, checked Config, or into every fault of them, each with its
// line and column.
//
// A key is declared once, as a struct field. Its tags say all that can be said
// about it alone:
//
//	yaml      its name in the file
//	default   the value it has when the file does not name it
//	min, max  the range, both ends included
//	unit      what a number counts
//	required  "true" when it has no default; example then shows a good value
//	reload    "restart" when a change is applied at the next start only
//	word      what may stand in place of a secret, and is none
//
// What concerns two keys, or the form of a text, is in the check method of the
// struct that holds them. A field of Sink that is a pointer is a kind of sink.
package config

import (
	_ "embed" // for the reference file
	"reflect"
	"time"
)

// Config is the content of a configuration file.
type Config struct {
	Receiver Receiver `yaml:"receiver"`
	Echo     Echo     `yaml:"echo"`
	Event    Event    `yaml:"event"`
	Journal  Journal  `yaml:"journal"`
	HTTP     HTTP     `yaml:"http"`
	Log      Log      `yaml:"log"`
	Reload   Reload   `yaml:"reload"`
	Shutdown Shutdown `yaml:"shutdown"`
	Sinks    []Sink   `yaml:"sinks"`

	source source // where the values stand; nil when they are from no file
}

// Receiver is about the socket that receives the events.
type Receiver struct {
	// Buffer is the receive buffer asked of the kernel, which may grant less.
	Buffer Size `yaml:"buffer" default:"64MiB" min:"4KiB" max:"1GiB"`
}

// Echo is about the health checks of the kernel module.
type Echo struct {
	// Interval is the time from one check to the next; 0 switches them off.
	Interval Duration `yaml:"interval" default:"30s" min:"0" max:"24h"`
	// Timeout is how long a reply may take. It is at most Interval, so that
	// checks never overlap.
	Timeout Duration `yaml:"timeout" default:"5s" min:"1ms"`
}

// Journal is about the events that wait for a sink.
type Journal struct {
	// Path is the journal's directory; empty means one below the service's state
	// directory.
	Path string `yaml:"path" default:"" reload:"restart"`
	// MaxBytes limits the disk space of events that some sink has not taken.
	MaxBytes Size `yaml:"max_bytes" default:"1GiB" min:"1MiB"`
	// MaxAge limits how long such events are kept; 0 is no limit.
	MaxAge Duration `yaml:"max_age" default:"0" min:"0" max:"87600h"`
	// Fsync says when events are safe against a power cut.
	Fsync JournalFsync `yaml:"fsync" default:"interval"`
	// SyncInterval is the longest time to a power cut's safety with FsyncInterval.
	SyncInterval Duration `yaml:"sync_interval" default:"100ms" min:"1ms" max:"1m"`
	// KeepRemovedSinks is how long the place of a sink that is no longer configured
	// is remembered, and its events are kept.
	KeepRemovedSinks Duration `yaml:"keep_removed_sinks" default:"24h" min:"0" max:"8760h"`
}

// HTTP is about the server of /metrics.
type HTTP struct {
	// Listen is a host:port; empty means no server.
	Listen string `yaml:"listen" default:"127.0.0.1:9941"`
}

// Log is about the daemon's own log.
type Log struct {
	Level LogLevel `yaml:"level" default:"info"`
}

// Reload is about applying a configuration that was changed.
type Reload struct {
	// Watch is how often the files are looked at for a change; 0 is not at all. All of
	// them are read each time, so it is at least minWatch.
	Watch Duration `yaml:"watch" default:"0" min:"0" max:"1h"`
}

const minWatch = Duration(time.Second)

func (r *Reload) check(s section) {
	if r.Watch > 0 && r.Watch < minWatch {
		s.errorf("watch", "%v is too little; write %v or more, or 0 for not at all", r.Watch, minWatch)
	}
}

// Shutdown is about the end of the daemon.
type Shutdown struct {
	// Drain is how long the daemon goes on delivering when told to stop.
	Drain Duration `yaml:"drain" default:"5s" min:"0" max:"1h"`
}

// Default returns what an empty file means: every default, and one sink that
// writes to standard output.
func Default() *Config {
	c := &Config{Sinks: []Sink{{Name: "stdout", Stdout: &Stdout{}}}}
	setDefaults(reflect.ValueOf(c).Elem())
	setDefaults(reflect.ValueOf(&c.Sinks[0]).Elem())
	return c
}

//go:embed reference.yaml
var reference string

// Reference returns a configuration file with every key and its default, explained. It
// configures the same as Default.
func Reference() []byte { return []byte(reference) }
