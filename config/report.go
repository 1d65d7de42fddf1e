// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"io/fs"

	"gopkg.in/yaml.v3"
)

// maxErrors bounds what a hostile or hopeless file costs and prints.
const maxErrors = 100

// A spot is a place in the text; the zero spot is no place.
type spot struct{ line, column int }

func spotOf(n *yaml.Node) spot { return spot{n.Line, n.Column} }

// A report holds what decoding and checking have found in one file, by path.
type report struct {
	file    string
	mode    fs.FileMode // of the file; 0 when the text is from none
	errs    Errors
	stopped bool

	failed map[string]bool // the value is not what the file says
	odd    map[string]bool // the mapping has a key that nobody knows
	keys   map[string]spot
	values map[string]spot
}

func newReport(file string) *report {
	return &report{
		file:   file,
		failed: make(map[string]bool),
		odd:    make(map[string]bool),
		keys:   make(map[string]spot),
		values: make(map[string]spot),
	}
}

// add notes a fault. Those that are too many are not even counted.
func (r *report) add(at spot, path, format string, args ...any) {
	if r.stopped {
		return
	}
	e := &FieldError{File: r.file, Line: at.line, Column: at.column, Path: path}
	e.Message = fmt.Sprintf(format, args...)
	r.errs = append(r.errs, e)
	r.stopped = len(r.errs) == maxErrors
}

// fail notes that the value of path cannot be had.
func (r *report) fail(at spot, path, format string, args ...any) {
	r.failed[path] = true
	r.add(at, path, format, args...)
}

// err is nil if nothing was found.
func (r *report) err() error {
	if len(r.errs) == 0 {
		return nil
	}
	r.errs.Sort()
	if len(r.errs) == maxErrors {
		r.errs = append(r.errs, &FieldError{File: r.file, Message: fmt.Sprintf("%d faults; any more are not shown", maxErrors)})
	}
	return r.errs
}
