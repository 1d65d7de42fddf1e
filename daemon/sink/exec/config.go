// SPDX-License-Identifier: Apache-2.0

package exec

import (
	_ "embed" // for the reference
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Kind is the kind of sink that passes events to a program.
func Kind() sink.Kind {
	return sink.Kind{
		Name: "exec", Summary: "runs a program for each event, or sends events to a program that keeps running",
		Reference: reference, New: func() sink.Config { return new(Config) },
		Words: []strict.VariantWords{
			{
				Words: "email mail smtp sns sqs s3 kinesis pubsub " +
					"postgres postgresql mysql influxdb snmp snmptrap dbus",
				Advice: "a program can send the events: exec",
			},
			{Words: "command cmd script program process shell pipe run"},
		},
	}
}

//go:embed reference.yaml
var reference []byte

// Config is the value of the key exec.
type Config struct {
	// Argv is the absolute path of the program, and its arguments. It is not passed to a
	// shell.
	Argv []string `yaml:"argv" required:"true" example:"/usr/local/bin/on-event"`
	// Mode is modeEvent, a program for each event, or modeStream, one for all.
	Mode string `yaml:"mode" default:"event" oneof:"event stream"`
	// Timeout limits the time of a program of modeEvent, and Concurrency the number of
	// concurrent programs.
	Timeout     value.Duration `yaml:"timeout" default:"5s" min:"1ms" max:"1h"`
	Concurrency int            `yaml:"concurrency" default:"1" min:"1" max:"64" unit:"programs"`
	// Grace is the time from SIGTERM to SIGKILL.
	Grace value.Duration `yaml:"grace" default:"500ms" min:"0" max:"1m"`
	// User is the user with whose rights the program runs; empty means those of the daemon.
	User   string `yaml:"user" default:""`
	Limits Limits `yaml:"limits"`
	// Environment is added to PATH, LANG and the fields of the event.
	Environment []Variable `yaml:"environment"`
}

const (
	modeEvent  = "event"  // a program for each event; its exit status decides
	modeStream = "stream" // one program; it confirms each line
)

// Limits are resource limits of setrlimit(2) for the program and each of its children; 0
// means those of the daemon.
type Limits struct {
	Memory    value.Size     `yaml:"memory" default:"0" min:"0"`
	CPU       value.Duration `yaml:"cpu" default:"0" min:"0" max:"24h"`
	Files     int            `yaml:"files" default:"0" min:"0" max:"1048576" unit:"open files"`
	Processes int            `yaml:"processes" default:"0" min:"0" max:"1048576" unit:"processes"`
}

// A Variable is an environment variable.
type Variable struct {
	Name  string `yaml:"name" required:"true" example:"TARGET" name:"true"`
	Value string `yaml:"value" default:""`
}

var (
	_ sink.Config        = (*Config)(nil)
	_ sink.SlowSink      = (*Config)(nil)
	_ sink.Verifier      = (*Config)(nil)
	_ strict.Conditional = (*Config)(nil)
	_ strict.Foreign     = (*Config)(nil)
	_                    = []strict.Checker{(*Config)(nil), (*Limits)(nil), (*Variable)(nil)}
)

// Ineffective implements strict.Conditional.
func (e *Config) Ineffective() []strict.Ineffective {
	if e.Mode != modeStream {
		return nil
	}
	const why = "with mode: stream; leave it out"
	return []strict.Ineffective{{Key: "timeout", Why: why}, {Key: "concurrency", Why: why}}
}

// Check implements strict.Checker.
func (e *Config) Check(s strict.Section) {
	e.checkArgv(s)
	firsts := make(map[string]strict.Section)
	for i, v := range e.Environment {
		s.At("environment", i).Unique(firsts, "name", v.Name, "give each variable once")
	}
}

func (e *Config) checkArgv(s strict.Section) {
	switch {
	case len(e.Argv) == 0:
		s.Errorf("argv", "is empty; begin it with the absolute path of a program")
	case len(e.Argv) > 0 && s.Read("argv[0]") && !filepath.IsAbs(e.Argv[0]):
		s.Errorf("argv[0]", "%s is not the absolute path of a program; begin it with /", strict.Quote(e.Argv[0]))
	}
	for i, arg := range e.Argv {
		if strings.Contains(arg, "\x00") {
			s.Errorf(fmt.Sprintf("argv[%d]", i), "has a NUL character, which no argument can have; leave it out")
		}
	}
}

// AttemptRule implements sink.SlowSink: an attempt that is shorter than the time of a program
// would end the program over and over.
func (e *Config) AttemptRule() sink.AttemptRule {
	rule := sink.AttemptRule{Key: "timeout", What: "the program's timeout", Reads: []string{"mode"}}
	if e.Mode == modeEvent {
		rule.Least = e.Timeout
	}
	return rule
}

// ForeignKeys implements strict.Foreign.
func (e *Config) ForeignKeys() []strict.ForeignKey {
	return []strict.ForeignKey{
		{Words: "command cmd program args arguments script path run shell", Key: "argv", Advice: `write argv: ["/bin/sh", "-c", "..."]`},
		{Words: "env envs variables", Key: "environment"},
		{Words: "uid username run_as", Key: "user"},
		{Words: "workers parallel", Key: "concurrency"},
	}
}

// New implements sink.Config.
func (e *Config) New(env sink.Env) (sink.Sink, error) {
	if e.Mode == modeStream {
		return NewStream(e, env), nil
	}
	return NewEvents(e, env), nil
}

// Check implements strict.Checker.
func (l *Limits) Check(s strict.Section) {
	if time.Duration(l.CPU)%time.Second != 0 {
		s.Errorf("cpu", "%v is not a whole number of seconds; the kernel counts in seconds", l.CPU)
	}
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Check implements strict.Checker.
func (v *Variable) Check(s strict.Section) {
	switch {
	case v.Name == "":
	case !variableName.MatchString(v.Name):
		s.Errorf("name", `%s is not a valid name of a variable; write letters, digits and "_", not beginning with a digit`,
			strict.Quote(v.Name))
	case strings.HasPrefix(v.Name, "GENLTEST_"):
		s.Errorf("name", "%s is reserved for the fields of the event; choose another name", strict.Quote(v.Name))
	case strings.Contains(v.Value, "\x00"):
		s.Errorf("value", "has a NUL character, which no variable can have; leave it out")
	}
}
