// SPDX-License-Identifier: Apache-2.0

// Package config reads /etc/genltestd.yaml, and the files that add sinks to it, into a typed,
// checked Config. It reports every fault with its line and column.
//
// A key is declared once, as a struct field with the tags of package strict. Rules about
// several keys, or about the form of a text, are in the Check method of the struct.
package config

import (
	"strings"
	"time"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

// A FieldError is one fault of a configuration.
type FieldError = strict.FieldError

// Errors are the faults of one configuration, in the order of its files. It is the error of
// Parse and Validate, and of a Load that could read the main file.
type Errors = strict.Errors

// Config is the content of a configuration file.
type Config struct {
	Families []Family `yaml:"families" shown:"[{name: genltest}]"`
	Receiver Receiver `yaml:"receiver"`
	Echo     Echo     `yaml:"echo"`
	Event    Event    `yaml:"event"`
	Journal  Journal  `yaml:"journal"`
	HTTP     HTTP     `yaml:"http"`
	Control  Control  `yaml:"control"`
	Log      Log      `yaml:"log"`
	Reload   Reload   `yaml:"reload"`
	Shutdown Shutdown `yaml:"shutdown"`
	Sinks    []Sink   `yaml:"sinks" shown:"[{name: stdout, stdout: {}}]"`

	kinds []sink.Kind // of sinks
	files sourceFiles // nil if the configuration is not from a file
}

// Receiver is about the sockets that receive the events.
type Receiver struct {
	// Buffer is the receive buffer asked of the kernel for each socket. The kernel may grant
	// less.
	Buffer value.Size `yaml:"buffer" default:"64MiB" min:"4KiB" max:"1GiB"`
}

// Echo is about the health checks of the kernel module.
type Echo struct {
	// Interval is the time between two checks; 0 switches them off.
	Interval value.Duration `yaml:"interval" default:"30s" min:"0" max:"24h"`
	// Timeout limits the time to a reply. It is at most Interval, so that checks never
	// overlap.
	Timeout value.Duration `yaml:"timeout" default:"5s" min:"1ms"`
}

// Journal is about the events that wait for a sink.
type Journal struct {
	// Path is the journal's directory; empty means one below the service's state
	// directory.
	Path string `yaml:"path" default:"" reload:"restart" path:"true"`
	// MaxBytes limits the disk space of events that some sink has not accepted.
	MaxBytes value.Size `yaml:"max_bytes" default:"1GiB" min:"1MiB"`
	// MaxAge limits the age of such events; 0 means no limit.
	MaxAge value.Duration `yaml:"max_age" default:"0" min:"0" max:"87600h"`
	// Fsync decides when events are safe against a power cut.
	Fsync string `yaml:"fsync" default:"interval" oneof:"interval always never"`
	// SyncInterval is the longest time until events are safe with FsyncInterval.
	SyncInterval value.Duration `yaml:"sync_interval" default:"100ms" min:"1ms" max:"1m"`
	// KeepRemovedSinks is the time for which the position and the events of a sink are kept
	// that is no longer configured.
	KeepRemovedSinks value.Duration `yaml:"keep_removed_sinks" default:"24h" min:"0" max:"8760h"`
}

// The words of Journal.Fsync.
const (
	// FsyncInterval makes events durable within an interval, all batches of that time
	// together.
	FsyncInterval = "interval"
	// FsyncAlways makes each batch durable before the next is received.
	FsyncAlways = "always"
	// FsyncNever leaves it to the kernel.
	FsyncNever = "never"
)

// HTTP is about the server of /metrics.
type HTTP struct {
	// Listen is a host:port, or ListenSystemd; empty means no server.
	Listen string `yaml:"listen" default:"127.0.0.1:9941"`
	// WebConfig is the path of a web configuration of Prometheus' exporter-toolkit; empty means
	// plain HTTP for every client.
	WebConfig string `yaml:"web_config" default:"" path:"true"`
}

// DefaultOperatorGroup is the group of the daemon that make install creates.
const DefaultOperatorGroup = "genltestd"

// Control is about the socket of genltestctl.
type Control struct {
	// OperatorGroup is the group whose members may change the state of the daemon; empty means
	// root alone.
	OperatorGroup string `yaml:"operator_group" default:"genltestd"`
}

// Check implements strict.Checker.
func (c *Control) Check(s strict.Section) {
	if strings.ContainsAny(c.OperatorGroup, ":, \t\r\n/") || len(c.OperatorGroup) > 256 {
		s.Errorf("operator_group", `%s is not the name of a group; write a name such as genltestd, or "" for root alone`,
			strict.Quote(c.OperatorGroup))
	}
}

// Log is about the daemon's own log.
type Log struct {
	Level LogLevel `yaml:"level" default:"info"`
}

// Reload is about applying a configuration that was changed.
type Reload struct {
	// Watch is the interval between checks of the files for a change; 0 means no checks.
	// Each check reads all files, so it is at least minWatch.
	Watch value.Duration `yaml:"watch" default:"0" min:"0" max:"1h"`
}

const minWatch = value.Duration(time.Second)

// Check implements strict.Checker.
func (r *Reload) Check(s strict.Section) {
	if r.Watch > 0 && r.Watch < minWatch {
		s.Errorf("watch", "%v is too little; write %v or more, or 0 for not at all", r.Watch, minWatch)
	}
}

// Shutdown is about the end of the daemon.
type Shutdown struct {
	// Drain limits the time for which the daemon still delivers after a request to stop.
	Drain value.Duration `yaml:"drain" default:"5s" min:"0" max:"1h"`
}

// Default returns the configuration of an empty file: every default, the family Genltest, and
// one sink of the first kind, which has the name of the kind.
func Default(kinds []sink.Kind) *Config {
	c := &Config{
		Families: []Family{{Name: Genltest}},
		Sinks:    []Sink{{Name: kinds[0].Name, Kind: kinds[0].Name, Config: kinds[0].New()}},
		kinds:    kinds,
	}
	strict.SetDefaults(c)
	strict.SetDefaults(&c.Families[0])
	strict.SetDefaults(&c.Sinks[0])
	strict.SetDefaults(c.Sinks[0].Config)
	return c
}

var (
	_ strict.Guide   = (*Config)(nil)
	_ strict.Foreign = (*Config)(nil)
)

// ShapeAdvice implements strict.Guide.
func (c *Config) ShapeAdvice(isList bool) string {
	if isList {
		return `write "sinks:" on a line of its own before the list`
	}
	return `write lines of "key: value"`
}
