// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Validate checks a Config that was made or changed by hand, as Parse does for
// one that was read. Its error is an Errors.
func (c *Config) Validate() error {
	r := newReport("", &costs{})
	r.sinks = len(c.Sinks)
	r.check(reflect.ValueOf(c).Elem(), "")
	source{r}.checkSinks(c.Sinks)
	return r.err()
}

// fault is for a path that was read well.
func (r *report) fault(path, format string, args ...any) *FieldError {
	e := &FieldError{File: r.file, Path: path, Message: fmt.Sprintf(format, args...)}
	for at := path; at != ""; at = parentOf(at) {
		if spot, ok := r.values[at]; ok {
			e.Line, e.Column = spot.line, spot.column
			break
		}
	}
	return e
}

func parentOf(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

// checker is a struct with rules that tags cannot say.
type checker interface{ check(s section) }

// check applies tags and rules to v and all within it. What failed to decode
// has its fault already, and its value is not the file's.
func (r *report) check(v reflect.Value, path string) {
	if r.stopped || r.failed[path] {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			r.check(v.Elem(), path)
		}
	case reflect.Slice:
		for i := range v.Len() {
			r.check(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Struct:
		for i, key := range keysOf(v.Type()) {
			r.checkTags(v.Field(i), section{r, path}, v.Type().Field(i))
			r.check(v.Field(i), join(path, key))
		}
		if c, ok := v.Addr().Interface().(checker); ok {
			c.check(section{r, path})
		}
		section{r, path}.checkEffect(v)
	}
}

func (r *report) checkTags(v reflect.Value, s section, f reflect.StructField) {
	key := f.Tag.Get("yaml")
	if f.Tag.Get("required") == "true" && v.IsZero() && !s.faultyWithin(key) {
		state := "is missing"
		if s.given(key) {
			state = "is empty"
		}
		s.errorf(key, "%s; give one, such as %q", state, f.Tag.Get("example"))
	}
	if err := recheck(v); err != nil {
		s.errorf(key, "%v", err)
	}
	least, hasLeast := f.Tag.Lookup("min")
	most, hasMost := f.Tag.Lookup("max")
	tooSmall := hasLeast && v.Int() < limit(v, least).Int()
	tooLarge := hasMost && v.Int() > limit(v, most).Int()
	switch {
	case !tooSmall && !tooLarge:
	case hasMost:
		s.errorf(key, "%v is out of range; write %s to %s", v, least, most)
	default:
		s.errorf(key, "%v is too little; write %s or more", v, least)
	}
}

// recheck has a value of ours read its own text: one that was set by hand may
// be none that its UnmarshalText would give.
func recheck(v reflect.Value) error {
	if !isText(v) {
		return nil
	}
	return setText(reflect.New(v.Type()).Elem(), fmt.Sprint(v))
}

// A section is one struct of the configuration, for its check method.
type section struct {
	*report
	path string
}

// at is the section of an entry of a list.
func (s section) at(list string, i int) section {
	return section{s.report, fmt.Sprintf("%s[%d]", join(s.path, list), i)}
}

// given says whether the file has the key.
func (s section) given(key string) bool {
	_, ok := s.keys[join(s.path, key)]
	return ok
}

// read says whether all values are the file's or defaults: a rule about two
// keys says nothing if one of them has a fault of its own.
func (s section) read(keys ...string) bool {
	for _, key := range keys {
		if s.failed[join(s.path, key)] {
			return false
		}
	}
	return true
}

// faultyWithin says whether a part of the key's value has a fault: then that the value
// is empty is no news.
func (s section) faultyWithin(key string) bool {
	for path := range s.failed {
		if strings.HasPrefix(path, join(s.path, key)+".") {
			return true
		}
	}
	return false
}

// errorf notes a fault of a key, unless it has one.
func (s section) errorf(key, format string, args ...any) {
	if path := join(s.path, key); !s.failed[path] {
		s.fail(s.spot(key), path, format, args...)
	}
}

// spot is where the value stands, or else what should have it.
func (s section) spot(key string) spot {
	if at, ok := s.values[join(s.path, key)]; ok {
		return at
	}
	if at, ok := s.keys[s.path]; ok {
		return at
	}
	return s.values[s.path]
}

// line is for pointing to another key: nothing if it is not in a file.
func (s section) line(key string) string {
	if at := s.spot(key); at.line > 0 {
		return fmt.Sprintf(" (line %d)", at.line)
	}
	return ""
}
