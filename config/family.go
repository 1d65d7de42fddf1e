// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"regexp"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
)

// The family and the multicast group of the module genltest, which is the default of
// Config.Families.
const (
	Genltest      = "genltest"
	GenltestGroup = "mcgrp"
)

// A Family is a Generic Netlink family whose events are received.
type Family struct {
	// Name is the family's name in the kernel, unique in the list.
	Name string `yaml:"name" required:"true" example:"ethtool" name:"true"`
	// Groups are the multicast groups that are joined; empty means all groups of the family.
	Groups []string `yaml:"groups"`
	// Spec is the file of the family's YNL specification; empty means that the usual places
	// are searched.
	Spec string `yaml:"spec" default:"" path:"true"`
	// Buffer is the receive buffer of the family's socket; 0 means that of Receiver.
	Buffer value.Size `yaml:"buffer" default:"0" min:"0" max:"1GiB"`
}

var (
	_ strict.Checker = (*Family)(nil)
	_ strict.Guide   = (*Family)(nil)
	_ strict.Foreign = (*Family)(nil)
	_ strict.Checker = (*Config)(nil)
)

// BufferOf returns the size of the receive buffer of a family, in bytes.
func (c *Config) BufferOf(f *Family) int {
	if f.Buffer != 0 {
		return int(f.Buffer)
	}
	return int(c.Receiver.Buffer)
}

// UnmarshalText implements encoding.TextUnmarshaler, so that a family can be written as its name alone.
func (f *Family) UnmarshalText(text []byte) error {
	f.Name = string(text)
	return nil
}

// ShapeAdvice implements strict.Guide.
func (f *Family) ShapeAdvice(bool) string {
	return "a family has a name, like {name: ethtool} or {name: devlink, groups: [config]}"
}

// ForeignKeys implements strict.Foreign.
func (f *Family) ForeignKeys() []strict.ForeignKey {
	return []strict.ForeignKey{
		{Words: "family id title", Key: "name"},
		{Words: "group multicast mcast multicast_group multicast_groups mcast_group mcast_groups mcgrp mcgrps", Key: "groups"},
		{Words: "yaml ynl specification schema file path", Key: "spec"},
		{Words: "buffer_size rcvbuf size receive_buffer recv_buffer", Key: "buffer"},
	}
}

// Check implements strict.Checker.
func (c *Config) Check(s strict.Section) {
	if len(c.Families) == 0 && s.Read("families") && !s.HasUnknownKey() {
		s.Errorf("families", "is empty, so no events would be received; give at least one family, or leave the key out for %s", Genltest)
	}
	names := make(map[string]strict.Section)
	for i := range c.Families {
		s.At("families", i).Unique(names, "name", c.Families[i].Name, "list all groups of a family in one entry")
	}
}

// netlinkName matches the names that the kernel accepts for families and their groups
// (GENL_NAMSIZ), if they consist of characters that names of files, metrics and descriptors
// can contain.
var netlinkName = regexp.MustCompile(`^[A-Za-z0-9_.-]([A-Za-z0-9_. -]{0,13}[A-Za-z0-9_.-])?$`)

const netlinkNameAdvice = `write at most 15 letters, digits, "_", "-", "." and spaces between them`

// started are the families that send events only after a privileged command has started
// them, with the program that does this.
var started = map[string]string{"NET_DM": "dropwatch(1)"}

const minBuffer = value.Size(4 << 10)

// Check implements strict.Checker.
func (f *Family) Check(s strict.Section) {
	program := started[f.Name]
	switch {
	case f.Name == "":
	case !netlinkName.MatchString(f.Name):
		s.Errorf("name", "%s is not the name of a family; %s", strict.Quote(f.Name), netlinkNameAdvice)
	case program != "":
		s.Errorf("name", "%s sends events only while a privileged program has started it; remove the entry, and use %s", f.Name, program)
	}
	value.CheckPath(s, "spec", f.Spec)
	if f.Buffer != 0 && f.Buffer < minBuffer {
		s.Errorf("buffer", "%v is too little; write %v or more, or 0 for that of receiver.buffer", f.Buffer, minBuffer)
	}
	f.checkGroups(s)
	if f.Name == Genltest && f.Spec != "" {
		s.Errorf("spec", "is not for %s, whose events are decoded without a specification; leave it out", Genltest)
	}
}

func (f *Family) checkGroups(s strict.Section) {
	first := make(map[string]bool)
	for i, group := range f.Groups {
		key := fmt.Sprintf("groups[%d]", i)
		switch {
		case !netlinkName.MatchString(group):
			s.Errorf(key, "%s is not the name of a group; %s", strict.Quote(group), netlinkNameAdvice)
		case first[group]:
			s.Errorf(key, "%s is already in the list; remove one of them", strict.Quote(group))
		case f.Name == Genltest && group != GenltestGroup:
			s.Errorf(key, "%s is not a group of %s; write groups: [%s], or leave the key out", strict.Quote(group), Genltest, GenltestGroup)
		}
		first[group] = true
	}
}
