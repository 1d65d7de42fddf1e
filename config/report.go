// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"gopkg.in/yaml.v3"
)

// maxErrors bounds what a hostile or hopeless file costs and prints.
const (
	maxErrors  = 100
	moreFaults = "100 faults; any more are not shown"
)

// A spot is a place in the text; the zero spot is no place.
type spot struct{ line, column int }

func spotOf(n *yaml.Node) spot { return spot{n.Line, n.Column} }

// costs are those of all files of a configuration together: what one of them takes of
// a bound, the others do not have.
type costs struct {
	faults   int
	expanded int // values that aliases and merge keys stand for
	stopped  bool
}

// A report holds what decoding and checking have found in one file, by path.
type report struct {
	file     string
	main     string      // of a drop-in: the main file
	mode     fs.FileMode // of the file; 0 when the text is from none
	absent   bool        // the file need not be there, and is not
	sinks    int         // how many there are in the file
	errs     Errors
	warnings Errors
	*costs

	failed map[string]bool // the value is not what the file says
	odd    map[string]bool // the mapping has a key that nobody knows
	// repaired are the lines that a remedy of a syntax error has changed. Their own
	// faults wait, because they would have the wrong column.
	repaired map[int]bool
	misread  bool // keys stand in other mappings than they were meant for
	keys     map[string]spot
	values   map[string]spot
	texts    map[string]written
	lines    []string // of the file, while it is decoded

	unquoted map[string]*FieldError // texts that need quotes, unless they have another fault
}

func newReport(file string, all *costs) *report {
	return &report{
		file:   file,
		costs:  all,
		failed: make(map[string]bool),
		odd:    make(map[string]bool),
		keys:   make(map[string]spot),
		values: make(map[string]spot),
		texts:  make(map[string]written),

		unquoted: make(map[string]*FieldError),
	}
}

// add notes a fault. Those that are too many are not even counted.
func (r *report) add(at spot, path, format string, args ...any) {
	if r.stopped {
		return
	}
	r.note(r.later(at, path, format, args...))
}

// warn notes what is valid, but most likely not meant.
func (r *report) warn(at spot, path, format string, args ...any) {
	if len(r.warnings) < maxErrors && !r.repaired[at.line] {
		r.warnings = append(r.warnings, r.later(at, path, format, args...))
	}
}

// later returns a fault that is noted later, or not at all.
func (r *report) later(at spot, path, format string, args ...any) *FieldError {
	return &FieldError{File: r.file, Line: at.line, Column: at.column, Path: path, Message: fmt.Sprintf(format, args...)}
}

func (r *report) note(e *FieldError) {
	if r.stopped || r.repaired[e.Line] {
		return
	}
	r.errs = append(r.errs, e)
	r.faults++
	r.stopped = r.stopped || r.faults == maxErrors
}

// noteUnquoted notes the texts that need quotes. One that is not valid in quotes either
// has a fault already, whose remedy is the better one.
func (r *report) noteUnquoted() {
	for _, path := range slices.Sorted(maps.Keys(r.unquoted)) {
		if !r.failed[path] {
			r.failed[path] = true
			r.note(r.unquoted[path])
		}
	}
}

// fail notes that the value of path cannot be had.
func (r *report) fail(at spot, path, format string, args ...any) {
	r.failed[path] = true
	r.add(at, path, format, args...)
}

// err is nil if nothing was found.
func (r *report) err() error { return source{r}.err() }

// err has the faults of all files; it is nil if there are none.
func (s source) err() error {
	var all Errors
	for _, r := range s {
		r.errs.Sort()
		all = append(all, r.errs...)
	}
	switch {
	case len(all) == 0:
		return nil
	case len(all) >= maxErrors:
		all = all.limited()
	}
	return all
}
