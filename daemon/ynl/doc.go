// SPDX-License-Identifier: Apache-2.0

// Package ynl reads YNL specifications, and decodes Generic Netlink messages by them.
//
// A specification is a YAML file in the language of the kernel's directory
// Documentation/netlink/specs. It names the commands and attributes of one family, and the
// types of the attributes. Parse accepts the protocols genetlink, genetlink-c and
// genetlink-legacy, and reports all faults of a file with their lines and columns. Find
// searches the places where specifications are installed; some are part of the binary.
//
// # Decoding
//
// A Decoder converts a message to an event.Object. Nothing that the message contains is
// lost:
//   - An attribute that the specification does not know keeps its bytes, under its number.
//     Without a specification, all attributes do.
//   - An attribute that occurs several times becomes a list, also if the specification
//     does not expect more than one.
//   - An attribute whose length does not match its type keeps its bytes, under its name.
//   - Bytes after the last member of a struct are kept under their offset.
//
// The values of types:
//
//	u8 to u64, uint    number; with an enum its name, or the number if it has no name
//	s8 to s64, sint    number, likewise
//	flags              list of names; a number for the bits without a name follows them
//	bitfield32         object of value and selector, which are like u32
//	flag               true
//	string             text without its terminating NUL
//	binary             bytes in the form of the display hint; with a struct an object; with
//	                   a sub-type a list
//	nest               object
//	indexed-array      list; an object of it begins with its index
//	nest-type-value    object that begins with the names of type-value
//	sub-message        object, in the format that the selector's value chooses
//
// A sub-set of attributes also decodes the other attributes of its full set, because a newer
// kernel can add attributes to a message.
//
// # Keys of this package
//
// The kernel's specifications do not contain every notification. The key x-attribute-set
// of an operation names the attribute set of its notification, where that differs from the
// set of the request. The same key of operations names the set of the commands that are
// not listed.
//
// The key x-type-of of an attribute of type binary names another attribute, which is before
// it in the message or in an object around it. The value of that attribute is the type: the
// name of a number, string, nul-string or flag, which can also be one byte. For other types
// the value is bytes.
package ynl
