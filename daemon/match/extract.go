// SPDX-License-Identifier: Apache-2.0

package match

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/event"
)

// An extractor takes the named groups of a regular expression out of a text.
type extractor struct {
	re     *regexp.Regexp
	names  []string // of the groups that have one
	groups []int    // their numbers
	texts  []string // of the last event, for expressions
	blank  []event.Capture
}

// groupName is for a pattern that does not compile: its captures are known all the
// same, so that what uses them is no fault as well.
var groupName = regexp.MustCompile(`\(\?P?<(\w+)>`)

// newExtractor returns nil for an empty text, and with an error one that has names
// only.
func newExtractor(text string) (*extractor, error) {
	if text == "" {
		return nil, nil
	}
	x := &extractor{}
	for _, group := range groupName.FindAllStringSubmatch(text, -1) {
		x.names = append(x.names, group[1])
	}
	if len(text) > maxText || states(text) > maxStates {
		return x, &Error{"extract", errors.New("the pattern is too large; repeat less in it")}
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return x, &Error{"extract", misplaced(text, err)}
	}
	x = &extractor{re: re}
	for i, name := range re.SubexpNames() {
		if name != "" {
			x.names, x.groups = append(x.names, name), append(x.groups, i)
		}
	}
	if len(x.names) == 0 {
		return x, &Error{"extract", errors.New("has no named group; write one like (?P<unit>[a-z]+)")}
	}
	x.texts = make([]string, len(x.names))
	for _, name := range x.names {
		x.blank = append(x.blank, event.Capture{Name: name})
	}
	return x, nil
}

// Captures returns the names of the groups of an extract pattern, also of one that
// does not compile.
func Captures(pattern string) []string {
	x, _ := newExtractor(pattern) // Compile reports the error
	return x.known()
}

// misplaced adds to an error of package regexp where the part stands that it names.
func misplaced(text string, err error) error {
	var fault *syntax.Error
	if !errors.As(err, &fault) || strings.Count(text, fault.Expr) != 1 {
		return readable(err)
	}
	column := 1 + utf8.RuneCountInString(text[:strings.Index(text, fault.Expr)])
	return fmt.Errorf("column %d: %w", column, readable(err))
}

// apply sets the captures of e: every named group, empty where it took no part in the
// match. A gap has no text and no match, but the same names.
func (x *extractor) apply(e *event.Event) {
	e.Captures = x.blank
	if e.Kind() != "event" {
		return
	}
	at := x.re.FindSubmatchIndex(e.Message)
	if at == nil {
		return
	}
	e.Captures = slices.Clone(x.blank)
	for i, group := range x.groups {
		if from, to := at[2*group], at[2*group+1]; from >= 0 {
			e.Captures[i].Value = e.Message[from:to:to]
		}
	}
}

// captures returns the values of the captures of e, in the order of names. They are
// valid until the next call.
func (x *extractor) captures(e *event.Event) []string {
	clear(x.texts)
	for i, c := range e.Captures {
		x.texts[i] = string(c.Value)
	}
	return x.texts
}

func (x *extractor) known() []string {
	if x == nil {
		return nil
	}
	return x.names
}
