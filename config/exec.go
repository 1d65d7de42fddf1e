// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Exec hands events to a program.
type Exec struct {
	// Argv is the program, by an absolute path, and its arguments. No shell reads
	// them.
	Argv []string `yaml:"argv" required:"true" example:"/usr/local/bin/on-event"`
	// Mode says whether there is a program for each event or one for all.
	Mode ExecMode `yaml:"mode" default:"event"`
	// Timeout ends a program of mode event, and Concurrency is how many of them run
	// at once.
	Timeout     Duration `yaml:"timeout" default:"5s" min:"1ms" max:"1h"`
	Concurrency int      `yaml:"concurrency" default:"1" min:"1" max:"64" unit:"programs"`
	// Grace is the time from SIGTERM to SIGKILL.
	Grace Duration `yaml:"grace" default:"500ms" min:"0" max:"1m"`
	// User is whose rights the program has; empty for the daemon's own.
	User string `yaml:"user" default:""`
	// Limits are the program's.
	Limits ExecLimits `yaml:"limits"`
	// Environment is what the program has beside PATH, LANG and the event's fields.
	Environment []ExecVariable `yaml:"environment"`
}

// ExecLimits are resource limits of setrlimit(2); 0 is what the daemon has.
type ExecLimits struct {
	Memory    Size     `yaml:"memory" default:"0" min:"0"`
	CPU       Duration `yaml:"cpu" default:"0" min:"0" max:"24h"`
	Files     int      `yaml:"files" default:"0" min:"0" max:"1048576" unit:"open files"`
	Processes int      `yaml:"processes" default:"0" min:"0" max:"1048576" unit:"processes"`
}

// An ExecVariable is an environment variable.
type ExecVariable struct {
	Name  string `yaml:"name" required:"true" example:"TARGET"`
	Value string `yaml:"value" default:""`
}

// ExecMode says how often the program is run.
type ExecMode string

const (
	// ExecEvent runs it for each event; its exit status decides.
	ExecEvent ExecMode = "event"
	// ExecStream keeps it running; it confirms each line that it is given.
	ExecStream ExecMode = "stream"
)

// UnmarshalText refuses what is none of the constants.
func (m *ExecMode) UnmarshalText(text []byte) error { return oneOf(m, text, ExecEvent, ExecStream) }

// MarshalText is the inverse of UnmarshalText.
func (m ExecMode) MarshalText() ([]byte, error) { return []byte(m), nil }

var (
	_ = []checker{(*Exec)(nil), (*ExecLimits)(nil), (*ExecVariable)(nil)}
	_ = conditional((*Exec)(nil))
)

func (e *Exec) ineffective() []ineffective {
	if e.Mode != ExecStream {
		return nil
	}
	const why = "with mode: stream; leave it out"
	return []ineffective{{key: "timeout", why: why}, {key: "concurrency", why: why}}
}

func (e *Exec) check(s section) {
	e.checkArgv(s)
	firsts := make(map[string]section)
	for i, v := range e.Environment {
		s.at("environment", i).unique(firsts, "name", v.Name, "give each variable once")
	}
}

func (e *Exec) checkArgv(s section) {
	switch {
	case len(e.Argv) == 0:
		s.errorf("argv", "is empty; begin it with the absolute path of a program")
	case len(e.Argv) > 0 && s.read("argv[0]") && !filepath.IsAbs(e.Argv[0]):
		s.errorf("argv[0]", "%s is not the absolute path of a program; begin it with /", quote(e.Argv[0]))
	}
	for i, arg := range e.Argv {
		if strings.Contains(arg, "\x00") {
			s.errorf(fmt.Sprintf("argv[%d]", i), "has a NUL character, which no argument can have; leave it out")
		}
	}
}

// checkExec is about keys of the sink too: an attempt that is shorter than a program
// may take would end it, over and over.
func (k *Sink) checkExec(s section) {
	e := k.Exec
	if e == nil || e.Mode != ExecEvent || e.Timeout <= k.AttemptTimeout || !s.read("exec.timeout", "attempt_timeout", "exec.mode") {
		return
	}
	s.errorf(s.culprit("exec.timeout", "attempt_timeout"), "the program's timeout %v is longer than attempt_timeout %v; make it no longer", e.Timeout, k.AttemptTimeout)
}

func (l *ExecLimits) check(s section) {
	if time.Duration(l.CPU)%time.Second != 0 {
		s.errorf("cpu", "%v is no whole number of seconds; the kernel counts in seconds", l.CPU)
	}
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (v *ExecVariable) check(s section) {
	switch {
	case v.Name == "":
	case !variableName.MatchString(v.Name):
		s.errorf("name", `%s is no name for a variable; write letters, digits and "_", not beginning with a digit`, quote(v.Name))
	case strings.HasPrefix(v.Name, "GENLTEST_"):
		s.errorf("name", "%s is for the event's fields; choose another name", quote(v.Name))
	case strings.Contains(v.Value, "\x00"):
		s.errorf("value", "has a NUL character, which no variable can have; leave it out")
	}
}
