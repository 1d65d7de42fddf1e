// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/genltestd/genltestd/internal/sorting"
)

// A FieldError is one fault of a configuration.
type FieldError struct {
	File    string // empty for a Config that was not read from a file
	Line    int    // from 1; 0 when not known
	Column  int    // in characters, from 1; 0 when not known
	Path    string // like sinks[1].file.path; empty for the whole file
	Message string // the fault, and the remedy after a semicolon
	Cause   error  // nil for a fault of the text itself
}

// Unwrap returns the cause.
func (e *FieldError) Unwrap() error { return e.Cause }

// Error reads FILE:LINE:COLUMN: PATH: MESSAGE, less what is not known.
func (e *FieldError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Column > 0 {
		fmt.Fprintf(&b, ":%d", e.Column)
	}
	for _, s := range []string{e.Path, e.Message} {
		if s != "" && b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(s)
	}
	return b.String()
}

// Errors are the faults of one configuration, in the order of its files. It is
// the error of Parse and Validate, and of a Load that could read the main file.
type Errors []*FieldError

// Error has a line for each.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, f := range e {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find a *FieldError.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, f := range e {
		errs[i] = f
	}
	return errs
}

// Sort puts the faults of each file together and into the order of the file. The
// files stay in the order of their first faults.
func (e Errors) Sort() {
	rank := make(map[string]int)
	for _, f := range e {
		if _, ok := rank[f.File]; !ok {
			rank[f.File] = len(rank)
		}
	}
	sorting.Stable(e, func(a, b *FieldError) int {
		return cmp.Or(cmp.Compare(rank[a.File], rank[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Join returns the faults of both in the order of the files, as many as are shown.
func (e Errors) Join(more Errors) Errors {
	all := append(slices.Clone(e), more...)
	all.Sort()
	return all.limited()
}

// limited ends a list that is too long with a note.
func (e Errors) limited() Errors {
	isNote := func(f *FieldError) bool { return f.Line == 0 && f.Message == moreFaults }
	if len(e) < maxErrors {
		return e
	}
	shown := slices.DeleteFunc(slices.Clone(e), isNote)
	shown = shown[:min(len(shown), maxErrors)]
	return append(shown, &FieldError{File: e[0].File, Message: moreFaults})
}

// Extract returns the errors that match, in their order.
func (e Errors) Extract(match func(*FieldError) bool) (matching Errors) {
	for _, f := range e {
		if match(f) {
			matching = append(matching, f)
		}
	}
	return matching
}

// maxQuoted is how many characters of a file an error repeats at one place.
const maxQuoted = 60

// Quote returns text of a file in quotes, fit for a terminal and a log: shortened, and
// with control characters escaped.
func Quote(s string) string {
	return fmt.Sprintf("%q", Shorten(s))
}

// Shorten cuts text to the length that an error may repeat.
func Shorten(s string) string {
	if utf8.RuneCountInString(s) <= maxQuoted {
		return s
	}
	head := s[:min(len(s), maxQuoted*utf8.UTFMax)]
	return string([]rune(head)[:maxQuoted-1]) + "…"
}
