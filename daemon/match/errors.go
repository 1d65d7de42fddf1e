// SPDX-License-Identifier: Apache-2.0

package match

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/expr-lang/expr/file"

	"github.com/genltestd/genltestd/daemon/event"
)

// An Error describes an invalid option. If Compile returns it, the option never works;
// if Evaluate returns it, the option failed for one event. Its text is short and safe
// to print, for any expression and event.
type Error struct {
	Key string // below the sink's key: "filter", "extract", "dedup.key"
	Err error
}

func (e *Error) Error() string { return e.Key + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// maxShown is the maximum length of an error text in bytes: it may contain an event's
// text.
const maxShown = 300

// A PositionError is an error at a position in an expression or a pattern.
type PositionError struct {
	Line, Column int // in characters, from 1
	Text         string
}

func (e *PositionError) Error() string {
	if e.Line > 1 {
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
	}
	return fmt.Sprintf("column %d: %s", e.Column, e.Text)
}

// positioned converts an error of the compiler or of a program to a PositionError.
func positioned(err error) error {
	var at *file.Error
	if !errors.As(err, &at) || at.Line == 0 {
		return errors.New(visible(err.Error()))
	}
	return &PositionError{at.Line, at.Column + 1, visible(at.Message)}
}

// joined returns the errors that errors.Join has joined.
func joined(err error) []error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()
	}
	return []error{err}
}

// explainedAll explains each of the joined errors.
func explainedAll(text string, known names, err error) error {
	var all []error
	for _, one := range joined(err) {
		all = append(all, explained(text, known, one))
	}
	return errors.Join(all...)
}

// explained converts an error of the compiler to a PositionError, and improves its
// message.
func explained(text string, known names, err error) error {
	m := mistake{names: known, text: []rune(text), message: err.Error()}
	var at *file.Error
	if !errors.As(err, &at) {
		m.explain()
		return errors.New(visible(m.message))
	}
	m.at, m.message = at.From, at.Message
	m.explain()
	return &PositionError{m.line, m.column, visible(m.message)}
}

func visible(text string) string {
	shown := event.AppendVisible(nil, []byte(text[:min(len(text), maxShown)]))
	if len(shown) <= maxShown && len(text) <= maxShown {
		return string(shown)
	}
	end := min(len(shown), maxShown)
	for end > 0 && end < len(shown) && !utf8.RuneStart(shown[end]) {
		end--
	}
	return string(shown[:end]) + "…"
}
