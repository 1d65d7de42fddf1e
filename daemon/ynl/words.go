// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
)

// The types of values. Those that may be absent accept the empty text, which a file can
// contain only in quotes.
type (
	word        string // a name of the specification
	kernelName  string // a name of a family or group
	number      string // an unsigned number
	length      string // a number, or the name of a constant
	ignored     string // any text
	byteOrder   string
	displayHint string
	typeName    string // of an attribute
	boolean     bool
)

// UnmarshalText implements encoding.TextUnmarshaler. Specifications of the kernel contain
// True too.
func (b *boolean) UnmarshalText(text []byte) error {
	switch string(text) {
	case "true", "True":
		*b = true
	case "false", "False":
		*b = false
	default:
		return fmt.Errorf("%s is not a boolean; write true or false", strict.Quote(string(text)))
	}
	return nil
}

// names are the characters of names in the kernel's specifications. A name is a part of a
// path, so it must not contain a dot.
var names = regexp.MustCompile(`^[A-Za-z0-9_+/-]{1,64}$`)

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *word) UnmarshalText(text []byte) error {
	if len(text) > 0 && !names.Match(text) {
		return fmt.Errorf("%s is not a name; write at most 64 letters, digits and dashes", strict.Quote(string(text)))
	}
	*w = word(text)
	return nil
}

// kernelNames are the names that the kernel accepts, as far as they can be printed: that of
// IEEE 802.15.4 contains dots and a space.
var kernelNames = regexp.MustCompile(`^[ -~]{1,15}$`)

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *kernelName) UnmarshalText(text []byte) error {
	if len(text) > 0 && !kernelNames.Match(text) {
		return fmt.Errorf("%s is not a name in the kernel; write at most 15 characters of ASCII", strict.Quote(string(text)))
	}
	*n = kernelName(text)
	return nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (i *ignored) UnmarshalText(text []byte) error { *i = ignored(text); return nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *number) UnmarshalText(text []byte) error {
	if _, ok := parseNumber(string(text)); len(text) > 0 && !ok {
		return fmt.Errorf("%s is not a number; write decimal digits, or hexadecimal digits after 0x", strict.Quote(string(text)))
	}
	*n = number(text)
	return nil
}

var numbers = regexp.MustCompile(`^(0|[1-9][0-9]*|0x[0-9a-fA-F]+)$`)

func parseNumber(text string) (uint64, bool) {
	v, err := strconv.ParseUint(text, 0, 64)
	return v, err == nil && numbers.MatchString(text)
}

// or returns the number, or another one if it is absent.
func (n number) or(absent uint64) uint64 {
	if v, ok := parseNumber(string(n)); ok {
		return v
	}
	return absent
}

// lengths matches a number or a constant, less 1 if the constant counts a terminating NUL.
var lengths = regexp.MustCompile(`^[0-9A-Za-z_-]+( - 1)?$`)

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *length) UnmarshalText(text []byte) error {
	if len(text) > 0 && !lengths.Match(text) {
		return fmt.Errorf("%s is not a length; write a number, or the name of a constant", strict.Quote(string(text)))
	}
	*l = length(text)
	return nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *byteOrder) UnmarshalText(text []byte) error {
	return choose(o, string(text), "big-endian", "little-endian")
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *displayHint) UnmarshalText(text []byte) error {
	return choose(h, string(text), "hex", "mac", "fddi", "ipv4", "ipv6", "ipv4-or-v6", "uuid")
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *typeName) UnmarshalText(text []byte) error {
	return choose(t, string(text), strings.Fields(typeNames)...)
}

// choose sets a word of a closed list.
func choose[T ~string](to *T, text string, words ...string) error {
	if text != "" && !slices.Contains(words, text) {
		return &strict.WordError{Text: text, Fault: "is not known", Words: words}
	}
	*to = T(text)
	return nil
}
