// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/config/schema"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// A page is what a frame becomes.
type page struct {
	roff     string
	examples []example
}

// An example is shown in a page as it is.
type example struct {
	kind string
	line int // of the frame, where it begins
	text string
}

// load reads a frame and makes its page.
func load(frame string) (*page, error) {
	text, err := os.ReadFile(frame)
	if err != nil {
		return nil, err
	}
	return expand(filepath.Base(frame), string(text), config.Describe(sinks.Kinds()))
}

// expand makes the page of a frame's text; name stands for it in errors.
func expand(name, text string, keys []schema.Key) (*page, error) {
	x := expander{keys: keys, text: text}
	for line := range strings.Lines(text) {
		x.line++
		if err := x.add(strings.TrimSuffix(line, "\n")); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, x.line, err)
		}
		switch {
		case x.line == 1: // behind the licence
			x.write(`.\" Written by "make generate" from ` + name + `; edit that file.`)
		case strings.HasPrefix(line, ".Dd "): // which loads the macros
			x.write(system)
		case strings.HasPrefix(line, ".Os "): // which sets it
			x.write(wholeWords)
		}
	}
	if x.inside {
		return nil, fmt.Errorf("%s: no @end of the last example", name)
	}
	x.page.roff = x.out.String()
	return &x.page, nil
}

// system is what groff takes for BSD otherwise, in the head of the page.
const system = ".ds doc-volume-operating-system Linux"

// wholeWords has groff break no word at the end of a line: most are to be copied. It
// resets .hy by this register.
const wholeWords = ".nr doc-hyphen-flags 0\n.hy 0"

type expander struct {
	page   page
	keys   []schema.Key
	text   string // of the frame
	out    strings.Builder
	line   int  // of the frame
	inside bool // the last example
}

func (x *expander) write(line string) { x.out.WriteString(line + "\n") }

func (x *expander) add(line string) error {
	directive, is := strings.CutPrefix(line, "@")
	switch {
	case is && x.inside && directive == "end":
		x.inside = false
		x.write(".Ed")
	case x.inside:
		last := &x.page.examples[len(x.page.examples)-1]
		last.text += line + "\n"
		x.write(literal(line))
	case is:
		return x.direct(directive)
	default:
		x.write(readable(line))
	}
	return nil
}

var exampleKinds = []string{"yaml", "rules", "expr", "text"}

func (x *expander) direct(directive string) error {
	if section, ok := strings.CutPrefix(directive, "keys "); ok {
		list := keysIn(section, x.keys)
		if len(list) == 0 {
			return fmt.Errorf("no section or kind %q", section)
		}
		x.out.WriteString(keyList(list))
		return nil
	}
	if directive == "kinds" {
		x.out.WriteString(otherKinds(x.keys, x.text))
		return nil
	}
	if !slices.Contains(exampleKinds, directive) {
		return fmt.Errorf("unknown @%s", directive)
	}
	x.inside = true
	x.page.examples = append(x.page.examples, example{kind: directive, line: x.line})
	x.write(".Bd -literal -offset indent")
	return nil
}
