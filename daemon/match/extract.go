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

// newExtraction compiles a pattern. With an error it has names only.
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
		e.err = &Error{"extract", misplaced(text, err)}
		return e
	}
	e.extractor = extractor{re: re}
	for i, name := range re.SubexpNames() {
		switch {
		case name == "":
		case slices.Contains(e.names, name):
			e.err = &Error{"extract", fmt.Errorf("column %d: a second group has the name %s; choose another", columnOfSecond(text, name), name)}
			return e
		default:
			e.names, e.groups = append(e.names, name), append(e.groups, i)
		}
	}
	if len(e.names) == 0 {
		e.err = &Error{"extract", errors.New("has no named group; write one like (?P<unit>[a-z]+)")}
	}

	for _, name := range e.names {
		e.blank = append(e.blank, event.Capture{Name: name})
	}
	return e
}

// columnOfSecond returns the column of the second group of a name.
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

// Captures returns the names of the groups of an extract pattern, also of one that
// does not compile.
func Captures(pattern string) []string {
	x, _ := NewCompiler(Vocabulary{}).extractor(pattern) // Compile reports the error
	return x.known()
}

// misplaced adds to an error of package regexp where the part stands that it names.
func misplaced(text string, err error) error {
	var fault *syntax.Error
	if !errors.As(err, &fault) || strings.Count(text, fault.Expr) != 1 {
		return readable(err)
	}
	column := 1 + utf8.RuneCountInString(text[:strings.Index(text, fault.Expr)])
	return &PositionError{1, column, readable(err).Error()}
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
