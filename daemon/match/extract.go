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

// An extractor extracts the named groups of a regular expression from a text.
type extractor struct {
	re     *regexp.Regexp
	names  []string        // of the named groups
	groups []int           // their numbers
	texts  []string        // captures of the last event, for expressions
	empty  []event.Capture // for events without a match
}

// groupName finds the captures of a pattern that does not compile. Expressions that use
// these captures are then not reported as faults too.
var groupName = regexp.MustCompile(`\(\?P?<(\w+)>`)

// newExtraction compiles a pattern. With an error, the extraction has only names.
func (c *Compiler) newExtraction(text string) *extraction {
	e := &extraction{}
	for _, group := range groupName.FindAllStringSubmatch(text, -1) {
		e.names = append(e.names, group[1])
	}
	if err := c.accept(text); err != nil {
		e.err = &Error{"extract", err}
		return e
	}
	re, err := regexp.Compile(text)
	if err != nil {
		e.err = &Error{"extract", atFault(text, err)}
		return e
	}
	e.extractor = extractor{re: re}
	for i, name := range re.SubexpNames() {
		switch {
		case name == "":
		case slices.Contains(e.names, name):
			column := columnOfSecond(text, name)
			e.err = &Error{"extract", fmt.Errorf("column %d: a second group has the name %s; choose another", column, name)}
			return e
		default:
			e.names, e.groups = append(e.names, name), append(e.groups, i)
		}
	}
	if len(e.names) == 0 {
		e.err = &Error{"extract", errors.New("the pattern needs a named group, such as (?P<unit>[a-z]+)")}
	}

	for _, name := range e.names {
		e.empty = append(e.empty, event.Capture{Name: name})
	}
	return e
}

// columnOfSecond returns the column of the second group with a name.
func columnOfSecond(text, name string) int {
	seen := false
	for _, at := range groupName.FindAllStringSubmatchIndex(text, -1) {
		if text[at[2]:at[3]] != name {
			continue
		}
		if seen {
			return 1 + utf8.RuneCountInString(text[:at[0]])
		}
		seen = true
	}
	return 1
}

// Captures returns the names of the groups of an extract pattern, even if it does not
// compile.
func (c *Compiler) Captures(pattern string) []string {
	x, _ := c.extractor(pattern) // Compile reports the error
	return x.captureNames()
}

// atFault adds the position of the part of the pattern that an error of package regexp
// contains.
func atFault(text string, err error) error {
	var fault *syntax.Error
	if !errors.As(err, &fault) || strings.Count(text, fault.Expr) != 1 {
		return positioned(err)
	}
	column := 1 + utf8.RuneCountInString(text[:strings.Index(text, fault.Expr)])
	return &PositionError{1, column, positioned(err).Error()}
}

// apply sets the captures of e: all named groups, with an empty value if the group did
// not match. A gap has the same names with empty values. The text of an event with a Content
// is that of event.Content.
func (x *extractor) apply(e *event.Event) {
	e.Captures = x.empty
	if e.Kind() != "event" {
		return
	}
	text := e.Message
	if e.Content != nil {
		text = e.AppendText(nil)
	}
	at := x.re.FindSubmatchIndex(text)
	if at == nil {
		return
	}
	e.Captures = slices.Clone(x.empty)
	for i, group := range x.groups {
		if from, to := at[2*group], at[2*group+1]; from >= 0 {
			e.Captures[i].Value = text[from:to:to]
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

func (x *extractor) captureNames() []string {
	if x == nil {
		return nil
	}
	return x.names
}
