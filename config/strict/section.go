// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"strings"
)

// A Section is one struct of the file, for its Check method. Keys are relative to it; they
// may be paths, such as "headers[0].name".
type Section struct {
	r    *Report
	path string
}

// Path returns the path of the section, such as "sinks[0].file".
func (s Section) Path() string { return s.path }

// File returns the name of the file.
func (s Section) File() string { return s.r.File }

// At returns the section of an entry of a list.
func (s Section) At(list string, i int) Section {
	return Section{s.r, fmt.Sprintf("%s[%d]", Join(s.path, list), i)}
}

// Given reports whether the file contains the key.
func (s Section) Given(key string) bool {
	_, ok := s.r.keys[Join(s.path, key)]
	return ok
}

// Read reports whether all values are those of the file, or defaults. A rule about two
// keys does not apply if one of them has a fault of its own.
func (s Section) Read(keys ...string) bool {
	for _, key := range keys {
		if s.r.failed[Join(s.path, key)] {
			return false
		}
	}
	return true
}

// HasUnknownKey reports whether the section has a key that is not known: the key that a
// rule misses may be that one.
func (s Section) HasUnknownKey() bool { return s.r.hasUnknownKey[s.path] }

// Misread reports whether the section as a whole could not be read.
func (s Section) Misread() bool { return s.r.failed[s.path] }

// FaultyWithin reports whether a part of the key's value has a fault, so that the value
// may be empty because of it.
func (s Section) FaultyWithin(key string) bool {
	for path := range s.r.failed {
		if strings.HasPrefix(path, Join(s.path, key)+".") {
			return true
		}
	}
	return false
}

// Errorf notes a fault of a key, unless the key already has one.
func (s Section) Errorf(key, format string, args ...any) {
	if path := Join(s.path, key); !s.r.failed[path] {
		s.r.fail(s.position(key), path, format, args...)
	}
}

// KeyErrorf notes a fault of the key itself, not of its value.
func (s Section) KeyErrorf(key, format string, args ...any) {
	path := Join(s.path, key)
	s.r.add(s.r.keys[path], path, format, args...)
}

// Fail notes a fault of the section as a whole, at its value.
func (s Section) Fail(format string, args ...any) {
	s.r.fail(s.r.values[s.path], s.path, format, args...)
}

// FailKey is Fail at the key of the section.
func (s Section) FailKey(format string, args ...any) {
	s.r.fail(s.position(""), s.path, format, args...)
}

// position returns the place of a value, or of the mapping that lacks it.
func (s Section) position(key string) position {
	if at, ok := s.r.values[Join(s.path, key)]; ok {
		return at
	}
	if at, ok := s.r.keys[s.path]; ok {
		return at
	}
	return s.r.values[s.path]
}

// Line points to another key, such as " (line 3)"; it is empty if the section is not from
// a file.
func (s Section) Line(key string) string {
	if at := s.position(key); at.line > 0 {
		return fmt.Sprintf(" (line %d)", at.line)
	}
	return ""
}

// Blamed returns the key of a pair that the file contains: a default is not the mistake.
func (s Section) Blamed(key, other string) string {
	if !s.Given(key) && s.Given(other) {
		return other
	}
	return key
}

// Unique reports a value that an earlier section has too. First contains the sections by
// value; the caller passes the same map for each section.
func (s Section) Unique(first map[string]Section, key, value, advice string) {
	if value == "" || !s.Read(key) {
		return
	}
	if before, ok := first[value]; ok {
		s.Errorf(key, "%s is taken by %s; %s", Quote(value), before.seenFrom(s, key), advice)
		return
	}
	first[value] = s
}

// seenFrom points to a key of the section from another section, which may be in another
// file.
func (s Section) seenFrom(other Section, key string) string {
	of := ""
	if s.r != other.r {
		of = " of " + s.r.File
	}
	return s.path + of + s.Line(key)
}

// Within returns the section of a key.
func (s Section) Within(key string) Section { return Section{s.r, Join(s.path, key)} }
