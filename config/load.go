// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
)

// Load reads and checks the regular file at path and its drop-ins, which add sinks:
// the regular files whose names end in .yaml in the directory beside it that is named
// as it is, with .d in place of its extension. The directory need not exist. The
// error wraps that of the system when there is no reading the file at path, else it
// is an Errors with every fault of all files. With an Errors the Config has what could
// be read, and the defaults in place of the rest, for further checks; see HasFault.
func Load(path string) (*Config, error) { return load(path, false) }

// LoadOptional is Load for a path where no file need be; it is as if an empty one
// were there.
func LoadOptional(path string) (*Config, error) { return load(path, true) }

func load(path string, optional bool) (*Config, error) {
	inputs := readInputs(path)
	absent := optional && errors.Is(inputs[0].err, fs.ErrNotExist) && isAbsent(path)
	if absent {
		inputs[0].err = nil
	}
	if err := inputs[0].err; err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c, err := parse(inputs)
	c.source[0].absent = absent
	return c, err
}

// Parse reads and checks the text of a configuration file; name stands for the
// file in errors. The error is an Errors with every fault of the text, and the Config
// as for Load.
func Parse(name string, text []byte) (*Config, error) {
	return parse([]input{{name: name, text: text}})
}

func parse(inputs []input) (*Config, error) {
	c, src := decode(inputs)
	c.source = src
	return c, src.err()
}

// decode makes one configuration of a main file and its drop-ins. Each file is
// decoded and checked by itself, so that paths are those of that file; then what
// concerns the sinks of all.
func decode(inputs []input) (*Config, source) {
	c, src, costs := &Config{}, source{}, &costs{}
	for i, in := range inputs {
		r := newReport(in.name, costs)
		r.mode = in.mode
		if i > 0 {
			r.main = inputs[0].name
		}
		one := r.decode(in)
		if i == 0 {
			*c = *one
		} else {
			c.Sinks = append(c.Sinks, one.Sinks...)
		}
		r.sinks = len(one.Sinks)
		src = append(src, r)
	}
	if !src.given("sinks") {
		c.Sinks = Default().Sinks
		src[0].sinks = 1
	}
	src.checkSinks(c.Sinks)
	return c, src
}

// decode returns what one file says, and the defaults for all but the sinks.
func (r *report) decode(in input) *Config {
	c := Default()
	c.Sinks = nil
	if in.err != nil {
		r.fail(spot{}, "", "%v", in.err)
		return c
	}
	v := reflect.ValueOf(c).Elem()
	if root := r.document(in.text); root != nil {
		r.lines = strings.Split(string(in.text), "\n")
		newDecoder(r).value(root, v, "")
		r.lines = nil
		r.failRepaired()
	}
	if !r.misread {
		r.check(v, "")
	}
	r.noteUnquoted()
	return c
}
