// SPDX-License-Identifier: Apache-2.0

package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Event is about what is added to every event, in every sink.
type Event struct {
	// Host replaces the machine's name in events that are received from now on.
	Host string `yaml:"host" default:""`
	// Labels are names and values that the operator gives to the machine.
	Labels map[string]string `yaml:"labels"`
	// MachineID adds machine-id(5), which should not be given to networks that are
	// not trusted.
	MachineID bool `yaml:"machine_id" default:"false"`
	// BootID and KernelRelease add those of the boot in which the event was
	// received.
	BootID        bool `yaml:"boot_id" default:"false"`
	KernelRelease bool `yaml:"kernel_release" default:"false"`
}

const (
	maxLabels     = 32
	maxLabelValue = 256 // bytes
)

// Every envelope takes these as they are: 32 is what a syslog message allows.
var labelName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,31}$`)

// What every envelope takes as it is: RFC 5424 allows a host no other characters.
var shownHost = regexp.MustCompile(`^[!-~]{1,255}$`)

func (e *Event) check(s section) {
	if e.Host != "" && !shownHost.MatchString(e.Host) {
		s.errorf("host", `%s is not a host name; write up to 255 letters, digits and other visible ASCII characters, or "" for the machine's name`, quote(e.Host))
	}
	if len(e.Labels) > maxLabels {
		s.errorf("labels", "are %d; give at most %d", len(e.Labels), maxLabels)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Labels)) {
		key := join("labels", pathKey(name))
		switch value := e.Labels[name]; {
		case !labelName.MatchString(name):
			s.add(s.keys[join(s.path, key)], join(s.path, key), `%s is no name for a label; write at most 32 of a-z, 0-9 and "_", beginning with a letter or "_"`, quote(name))
		case value == "" || len(value) > maxLabelValue:
			s.errorf(key, "has %d bytes; write 1 to %d", len(value), maxLabelValue)
		case strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }):
			s.errorf(key, "%s has a character that cannot be shown; leave it out", quote(value))
		}
	}
}
