// SPDX-License-Identifier: Apache-2.0

package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/genltestd/genltestd/config/strict"
)

// Event adds fields to every event, in every sink.
type Event struct {
	// Host replaces the machine's name in events that are received from now on.
	Host string `yaml:"host" default:""`
	// Labels are names and values that the operator chooses for the machine.
	Labels map[string]string `yaml:"labels"`
	// MachineID adds machine-id(5), which is confidential: networks that are not trusted
	// should not receive it.
	MachineID bool `yaml:"machine_id" default:"false"`
	// BootID and KernelRelease add those of the boot in which the event was
	// received.
	BootID        bool `yaml:"boot_id" default:"false"`
	KernelRelease bool `yaml:"kernel_release" default:"false"`
}

const (
	maxLabels     = 32
	maxLabelValue = 256 // bytes
	maxHost       = 255 // bytes
)

// Every envelope can contain these names: 32 is the limit of a syslog message.
var labelName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,31}$`)

// Every envelope can contain these hosts: RFC 5424 allows no other characters.
var shownHost = regexp.MustCompile(`^[!-~]+$`)

// Check implements strict.Checker.
func (e *Event) Check(s strict.Section) {
	if e.Host != "" && (len(e.Host) > maxHost || !shownHost.MatchString(e.Host)) {
		s.Errorf("host",
			`%s is not a host name; write up to 255 letters, digits and other visible ASCII characters, or "" for the machine's name`,
			strict.Quote(e.Host))
	}
	if len(e.Labels) > maxLabels {
		s.Errorf("labels", "are %d; give at most %d", len(e.Labels), maxLabels)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Labels)) {
		key := strict.Join("labels", strict.PathKey(name))
		switch value := e.Labels[name]; {
		case !labelName.MatchString(name):
			s.KeyErrorf(key, `%s is not a valid name of a label; write at most 32 of a-z, 0-9 and "_", beginning with a letter or "_"`,
				strict.Quote(name))
		case value == "" || len(value) > maxLabelValue:
			s.Errorf(key, "has %d bytes; write 1 to %d", len(value), maxLabelValue)
		case strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }):
			s.Errorf(key, "%s has a character that cannot be shown; leave it out", strict.Quote(value))
		}
	}
}
