// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"io/fs"
	"regexp"
	"strconv"

	"github.com/genltestd/genltestd/config/strict"
)

// sourceFiles are those of a configuration: the main file, and the drop-ins. Each has a part of the
// list of sinks.
type sourceFiles []*sourceFile

// A sourceFile is a file of the configuration with its faults.
type sourceFile struct {
	*strict.Report
	mode   fs.FileMode // 0 for a text that is not from a file
	absent bool        // the file need not exist, and does not
	sinks  int         // number of sinks in the file
}

func (s sourceFiles) err() error {
	reports := make([]*strict.Report, len(s))
	for i, f := range s {
		reports[i] = f.Report
	}
	return strict.Err(reports...)
}

// A SourceFile is a file that a Config was read from.
type SourceFile struct {
	Name  string
	Sinks int // number of sinks that it adds; the main file also adds the default sink
}

// Files returns the files that the configuration was read from: the main file, if it exists,
// and the drop-ins, in their order. It is empty for a Config that a program has made.
func (c *Config) Files() (all []SourceFile) {
	for _, f := range c.files {
		if !f.absent {
			all = append(all, SourceFile{f.File, f.sinks})
		}
	}
	return all
}

// Locations returns the path of the main file, which need not exist, and that of the
// directory of its drop-ins. Both are empty for a Config that a program has made.
func (c *Config) Locations() (file, dropIns string) {
	if c.files == nil {
		return "", ""
	}
	return c.files[0].File, dropInDir(c.files[0].File)
}

// HasFault reports whether the value that f is about, a part of it or the mapping that
// contains it could not be read: the Config differs from the file there.
func (c *Config) HasFault(f *FieldError) bool {
	for _, r := range c.files {
		if r.File == f.File && r.HasFailed(f) {
			return true
		}
	}
	return false
}

// Fault returns the error of a well-formed value that cannot work, for callers with further
// checks: a file that is missing, a text that does not compile. The path is like
// sinks[1].file.path, where sinks are counted over all files; the path of the error counts
// those of its file. If the file does not contain the key, the error has the place of the
// mapping that lacks it.
func (c *Config) Fault(path, format string, args ...any) *FieldError {
	if c.files == nil {
		return &FieldError{Path: path, Message: fmt.Sprintf(format, args...)}
	}
	f, local := c.files.locate(path)
	return f.Fault(local, format, args...)
}

// FaultWithin is Fault for a part of a text: the line and column are those within the text,
// in characters from 1. With a line of 0 they are not known.
func (c *Config) FaultWithin(path string, line, column int, format string, args ...any) *FieldError {
	if c.files == nil {
		return c.Fault(path, format, args...)
	}
	f, local := c.files.locate(path)
	return f.FaultWithin(local, line, column, format, args...)
}

var sinkPath = regexp.MustCompile(`^sinks\[([0-9]+)\]`)

// locate returns the file of a path that counts the sinks of all files, and the path in that
// file.
func (s sourceFiles) locate(path string) (*sourceFile, string) {
	m := sinkPath.FindStringSubmatch(path)
	if m == nil {
		return s[0], path
	}
	if i, err := strconv.Atoi(m[1]); err == nil {
		if f, local := s.sink(i); f != nil {
			return f, local + path[len(m[0]):]
		}
	}
	return s[0], path
}

// sink returns the place of a sink, counted over all files; nil for no sink.
func (s sourceFiles) sink(i int) (*sourceFile, string) {
	for _, f := range s {
		if i < f.sinks {
			return f, fmt.Sprintf("sinks[%d]", i)
		}
		i -= f.sinks
	}
	return nil, ""
}

// section is sink as a section. The sink must exist.
func (s sourceFiles) section(i int) strict.Section {
	f, path := s.sink(i)
	return f.Section(path)
}

// given reports whether any of the files contains a key.
func (s sourceFiles) given(key string) bool {
	for _, f := range s {
		if f.Section("").Given(key) {
			return true
		}
	}
	return false
}
