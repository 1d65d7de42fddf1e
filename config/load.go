// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/daemon/sink"
)

// dropInKey is the only key that drop-ins may contain.
const dropInKey = "sinks"

// Load reads and checks the regular file at path and its drop-ins, which add sinks. The
// drop-ins are the regular files with names that end in .yaml, in the directory with the name
// of the file and .d in place of its extension. The directory need not exist.
//
// If the file at path cannot be read, the error wraps that of the system. Otherwise it is an
// Errors with every fault of all files. With an Errors the Config contains the values that
// could be read, and defaults for the others, for further checks; see HasFault. The kinds are
// those of the sinks.
func Load(path string, kinds []sink.Kind) (*Config, error) { return load(path, false, kinds) }

// LoadOptional is Load for a path where no file need exist; without a file it loads an empty
// one.
func LoadOptional(path string, kinds []sink.Kind) (*Config, error) { return load(path, true, kinds) }

func load(path string, optional bool, kinds []sink.Kind) (*Config, error) {
	inputs := readInputs(path)
	absent := optional && errors.Is(inputs[0].err, fs.ErrNotExist) && isAbsent(path)
	if absent {
		inputs[0].err = nil
	}
	if err := inputs[0].err; err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c, err := parse(inputs, kinds)
	c.files[0].absent = absent
	return c, err
}

// Parse reads and checks the text of a configuration file; errors contain name as the name
// of the file. The error is an Errors with every fault of the text, and the Config as for
// Load.
func Parse(name string, text []byte, kinds []sink.Kind) (*Config, error) {
	return parse([]input{{name: name, text: text}}, kinds)
}

func parse(inputs []input, kinds []sink.Kind) (*Config, error) {
	c := decode(inputs, kinds)
	return c, c.files.err()
}

// decode makes one configuration of a main file and its drop-ins. Each file is decoded and
// checked by itself, so that paths are those of that file; then the sinks of all files are
// checked together.
func decode(inputs []input, kinds []sink.Kind) *Config {
	c, all, costs := &Config{}, sourceFiles{}, &strict.Costs{}
	for i, in := range inputs {
		f := &sourceFile{Report: strict.NewReport(in.name, costs, sink.Variants(kinds)), mode: in.mode}
		if i > 0 {
			f.Restrict(inputs[0].name, dropInKey)
		}
		one := f.decode(in, kinds)
		if i == 0 {
			*c = *one
		} else {
			c.Sinks = append(c.Sinks, one.Sinks...)
		}
		f.sinks = len(one.Sinks)
		all = append(all, f)
	}
	if !all.given(dropInKey) {
		c.Sinks = Default(kinds).Sinks
		all[0].sinks = 1
	}
	all.checkSinks(c.Sinks)
	c.files = all
	return c
}

// decode returns the content of one file, with defaults for everything except the sinks.
func (f *sourceFile) decode(in input, kinds []sink.Kind) *Config {
	c := Default(kinds)
	c.Sinks = nil
	if in.err != nil {
		f.Reject(in.err)
		return c
	}
	f.Decode(in.text, c, "")
	f.useDefaultsOfKinds(c.Sinks)
	f.Check(c)
	return c
}

// useDefaultsOfKinds sets the keys that the file does not contain, and that have another default
// for the kind of the sink.
func (f *sourceFile) useDefaultsOfKinds(sinks []Sink) {
	for i := range sinks {
		if b, ok := sinks[i].Config.(sink.Batcher); ok && !f.Section("").Given(fmt.Sprintf("sinks[%d].batch_events", i)) {
			sinks[i].BatchEvents = b.DefaultBatchEvents()
		}
	}
}

// Validate checks a Config that a program has made or changed, as Parse checks a text. Its
// error is an Errors.
func (c *Config) Validate() error {
	f := &sourceFile{Report: strict.NewReport("", &strict.Costs{}, sink.Variants(c.kinds)), sinks: len(c.Sinks)}
	f.Check(c)
	all := sourceFiles{f}
	all.checkSinks(c.Sinks)
	return all.err()
}
