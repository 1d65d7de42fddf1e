// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/daemon/event"
)

// A Spec is a specification in the form that a Decoder uses. It does not change, and is
// safe for concurrent use.
type Spec struct {
	Family string   // name of the family
	Groups []string // names of the multicast groups that the specification lists

	Warnings strict.Errors // valid parts of the file that are most likely mistakes

	// events are the notifications by command, replies the answers to requests. One command
	// can be both, and a multicast message is a notification then.
	events  [256]*command
	replies [256]*command
	// other is the attribute set of commands that the specification does not list.
	other *attrSet
}

// A command is a message that the kernel sends.
type command struct {
	name   string
	set    *attrSet
	header *structure // between the command and the attributes; nil without one
	group  string
}

// Command returns the name of a command that the kernel sends; empty if it is not known.
func (s *Spec) Command(number uint8) string {
	if c := s.command(number); c != nil {
		return c.name
	}
	return ""
}

func (s *Spec) command(number uint8) *command {
	switch {
	case s == nil:
		return nil
	case s.events[number] != nil:
		return s.events[number]
	}
	return s.replies[number]
}

// A kind is the type of an attribute.
type kind uint8

const (
	kindUnused kind = iota
	kindPad
	kindFlag
	kindBinary
	kindString
	kindScalar
	kindBitfield
	kindNest
	kindTypeValue
	kindArray
	kindSubMessage
)

// typeNames are the names of the types of attributes.
const typeNames = "unused pad flag binary bitfield32 u8 u16 u32 u64 s8 s16 s32 s64 uint sint string " +
	"nest nest-type-value indexed-array array-nest sub-message"

// An attr is an attribute, an entry of an array or a member of a struct.
type attr struct {
	name     string
	typeName string // for errors
	kind     kind
	multi    bool

	// A scalar.
	size   int // in bytes; 0 for uint and sint, which have 4 or 8
	signed bool
	big    bool  // network byte order; otherwise the order of the machine, or little
	little bool  // little-endian on every machine
	enum   *enum // nil without names
	flags  bool  // the values of the enum are numbers of bits

	format    event.Format // of bytes
	isAddress bool         // a scalar that is shown as an address

	nested    *attrSet
	typeValue []string
	item      *attr // of an array, of binary with a sub-type, or both parts of a bitfield
	layout    *structure
	formats   *formatList
	types     map[string]*attr // of a value whose type the selector's value names
	selector  string           // name of the attribute that selects the format or type
}

// An attrSet contains attributes by number. Numbers that are far apart are in the map.
type attrSet struct {
	name  string
	dense []*attr
	far   map[uint16]*attr
	names map[string]bool // of attributes with a value
}

// attr returns the attribute of a number; nil if it is not known.
func (s *attrSet) attr(number uint16) *attr {
	switch {
	case s == nil:
		return nil
	case int(number) < len(s.dense):
		return s.dense[number]
	}
	return s.far[number]
}

// An enum contains names by value. Those of flags are by the number of a bit.
type enum struct {
	isFlags bool
	dense   [][]byte
	far     map[uint64][]byte
}

// name returns the name of a value; nil for a value without a name.
func (e *enum) name(value uint64) []byte {
	if value < uint64(len(e.dense)) {
		return e.dense[value]
	}
	return e.far[value]
}

// A structure is a C struct without implicit padding.
type structure struct {
	members []structMember
	size    int // in bytes
}

type structMember struct {
	attr
	length int // in bytes
}

// A formatList contains the formats of a sub-message, by the selector's value.
type formatList map[string]messageFormat

type messageFormat struct {
	header *structure
	set    *attrSet
}
