// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// maxErrors bounds the cost and the output of a hostile or hopeless file.
const (
	maxErrors  = 100
	moreFaults = "100 faults; any more are not shown"
)

// Costs are those of all files of a configuration together: each file uses a part of the
// same bounds.
type Costs struct {
	faults   int
	expanded int // values that aliases and merge keys expand to
	stopped  bool
}

// A Report contains the result of decoding and checking one file, by path. Its methods
// must not be called concurrently.
type Report struct {
	File     string // its name, for errors
	Warnings Errors // valid values that are most likely mistakes

	variants []Variant
	root     reflect.Type // of the file
	main     string       // the file that other keys belong to; empty if all keys are allowed
	only     string       // the only key that is allowed then
	tolerant bool         // an unknown key is a warning
	errs     Errors
	*Costs

	failed        map[string]bool // the value differs from that of the file
	hasUnknownKey map[string]bool // the mapping has an unknown key
	misread       bool            // keys are not in the mappings that their author intended
	// repaired are the lines that a remedy of a syntax error has changed. Their own faults are
	// not reported, because they would have the wrong column.
	repaired map[int]bool
	keys     map[string]position
	values   map[string]position
	texts    map[string]written
	extra    map[string][]Entry // variants after the first of a mapping: a fault, but checked
	lines    []string           // of the file, while it is decoded

	unquoted map[string]*FieldError // texts that need quotes, unless they have another fault
}

// NewReport returns the report of a file that is not decoded yet. All files of one
// configuration share the costs.
func NewReport(file string, costs *Costs, variants []Variant) *Report {
	return &Report{
		File:          file,
		variants:      variants,
		Costs:         costs,
		failed:        make(map[string]bool),
		hasUnknownKey: make(map[string]bool),
		keys:          make(map[string]position),
		values:        make(map[string]position),
		texts:         make(map[string]written),
		extra:         make(map[string][]Entry),
		unquoted:      make(map[string]*FieldError),
	}
}

// Restrict rejects all keys of the file but one. The other keys belong to the file main.
func (r *Report) Restrict(main, only string) { r.main, r.only = main, only }

// Tolerate makes an unknown key a warning: a newer version of the file's format may have
// more keys than the program knows.
func (r *Report) Tolerate() { r.tolerant = true }

// Decode reads the text into what v points to, which has the given path. On a fault a
// value keeps its default.
func (r *Report) Decode(text []byte, v any, path string) {
	value := reflect.ValueOf(v).Elem()
	r.root = value.Type()
	if root := r.document(text); root != nil {
		if path != "" {
			r.values[path] = positionOf(root)
		}
		r.lines = strings.Split(string(text), "\n")
		newDecoder(r).value(root, value, path)
		r.lines = nil
		r.failRepaired()
	}
}

// Check applies tags and Check methods to the struct that v points to, unless the file
// was misread.
func (r *Report) Check(v any) {
	if !r.misread {
		r.check(reflect.ValueOf(v).Elem(), "")
	}
	r.noteUnquoted()
}

// Section returns the section of a path.
func (r *Report) Section(path string) Section { return Section{r, path} }

// Reject notes that the file has an error without a place, and lacks a value.
func (r *Report) Reject(err error) { r.fail(position{}, "", "%v", err) }

// HasFailed reports whether the value of f, a value within it or around it could not be read.
func (r *Report) HasFailed(f *FieldError) bool {
	if r.repaired[f.Line] {
		return true
	}
	for failed := range r.failed {
		if contains(failed, f.Path) || contains(f.Path, failed) {
			return true
		}
	}
	return false
}

// contains reports whether a path is outer or within it.
func contains(outer, path string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (outer == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}

// add notes a fault. Faults above the limit are not counted.
func (r *Report) add(at position, path, format string, args ...any) {
	if r.stopped {
		return
	}
	r.note(r.newError(at, path, format, args...))
}

// warn notes a valid value that is most likely a mistake.
func (r *Report) warn(at position, path, format string, args ...any) {
	if len(r.Warnings) < maxErrors && !r.repaired[at.line] {
		r.Warnings = append(r.Warnings, r.newError(at, path, format, args...))
	}
}

// newError returns a fault without noting it.
func (r *Report) newError(at position, path, format string, args ...any) *FieldError {
	return &FieldError{File: r.File, Line: at.line, Column: at.column, Path: path, Message: fmt.Sprintf(format, args...)}
}

func (r *Report) note(e *FieldError) {
	if r.stopped || r.repaired[e.Line] {
		return
	}
	r.errs = append(r.errs, e)
	r.faults++
	r.stopped = r.stopped || r.faults == maxErrors
}

// noteUnquoted notes the texts that need quotes. A text that is not valid in quotes either
// already has a fault with a better remedy.
func (r *Report) noteUnquoted() {
	for _, path := range slices.Sorted(maps.Keys(r.unquoted)) {
		if !r.failed[path] {
			r.failed[path] = true
			r.note(r.unquoted[path])
		}
	}
}

// fail notes that the value of path cannot be read.
func (r *Report) fail(at position, path, format string, args ...any) {
	r.failed[path] = true
	r.add(at, path, format, args...)
}

// Fault returns the error of a well-formed value. Its place is that of the value, or of the
// mapping that lacks it.
func (r *Report) Fault(path, format string, args ...any) *FieldError {
	e := &FieldError{File: r.File, Path: path, Message: fmt.Sprintf(format, args...)}
	for at := path; at != ""; at = parentOf(at) {
		if p, ok := r.values[at]; ok {
			e.Line, e.Column = p.line, p.column
			break
		}
	}
	return e
}

// Err returns the faults of all reports as Errors; nil without faults.
func Err(reports ...*Report) error {
	var all Errors
	for _, r := range reports {
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
