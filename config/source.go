// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A source has the report of each file that a configuration was read from: the main
// file's, and those of drop-ins. Each has a part of the list of sinks.
type source []*report

// A SourceFile is one that a Config was read from.
type SourceFile struct {
	Name  string
	Sinks int // how many it adds; the main file has the default one too
}

// Files are those that the configuration was read from: the main file, if it is
// there, and the drop-ins, in their order. A Config that was made by hand has none.
func (c *Config) Files() (files []SourceFile) {
	for _, r := range c.source {
		if !r.absent {
			files = append(files, SourceFile{r.file, r.sinks})
		}
	}
	return files
}

// Locations returns the path of the main file, which need not exist, and that of the
// directory of its drop-ins. Both are empty for a Config that was made by hand.
func (c *Config) Locations() (file, dropIns string) {
	if c.source == nil {
		return "", ""
	}
	return c.source[0].file, dropInDir(c.source[0].file)
}

// HasFault reports whether what f is about, a part of it or what contains it could not
// be read: the Config does not have what its author meant.
func (c *Config) HasFault(f *FieldError) bool {
	for _, r := range c.source {
		if r.file != f.File {
			continue
		}
		if r.repaired[f.Line] {
			return true
		}
		for failed := range r.failed {
			if contains(failed, f.Path) || contains(f.Path, failed) {
				return true
			}
		}
	}
	return false
}

// contains reports whether a path is outer or within it.
func contains(outer, path string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (outer == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}

// Fault returns the error of a value that is well-formed and still cannot work, for
// callers that know more than this package: a file that is missing, a text that
// does not compile. The path is like sinks[1].file.path, where sinks are counted over
// all files; that of the error counts those of its file. Where the file has no such
// key, the error has the place of what should hold it.
func (c *Config) Fault(path, format string, args ...any) *FieldError {
	if c.source == nil {
		return &FieldError{Path: path, Message: fmt.Sprintf(format, args...)}
	}
	r, local := c.source.locate(path)
	return r.fault(local, format, args...)
}

var sinkPath = regexp.MustCompile(`^sinks\[([0-9]+)\]`)

// locate returns the report of the file where a path of the whole belongs, and what
// the path is there.
func (s source) locate(path string) (*report, string) {
	m := sinkPath.FindStringSubmatch(path)
	if m == nil {
		return s[0], path
	}
	if i, err := strconv.Atoi(m[1]); err == nil {
		if at := s.section(i); at.report != nil {
			return at.report, at.path + path[len(m[0]):]
		}
	}
	return s[0], path
}

// section is the place of a sink, counted over all files.
func (s source) section(i int) section {
	for _, r := range s {
		if i < r.sinks {
			return section{r, fmt.Sprintf("sinks[%d]", i)}
		}
		i -= r.sinks
	}
	return section{}
}

// given says whether any of the files has a key.
func (s source) given(path string) bool {
	for _, r := range s {
		if _, ok := r.keys[path]; ok {
			return true
		}
	}
	return false
}
