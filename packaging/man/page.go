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

// A page is the result of a frame.
type page struct {
	roff     string
	examples []example
}

// An example is shown in a page byte for byte.
type example struct {
	kind string
	at   string // where it begins, such as "genltestd.8.in:12"
	text string
}

// load reads a frame and the texts of the kinds, and returns the page.
func load(frame, sinkDir string) (*page, error) {
	text, err := os.ReadFile(frame)
	if err != nil {
		return nil, err
	}
	keys := config.Describe(sinks.Kinds())
	kinds, err := loadKinds(sinkDir, keys)
	if err != nil {
		return nil, err
	}
	return expand(filepath.Base(frame), string(text), keys, kinds)
}

// loadKinds reads the text about each kind.
func loadKinds(sinkDir string, keys []schema.Key) ([]kindText, error) {
	var all []kindText
	for _, kind := range kindsIn(keys) {
		name := filepath.Join(kind, "manual.in")
		text, err := os.ReadFile(filepath.Join(sinkDir, name))
		if err != nil {
			return nil, fmt.Errorf("the kind %s: %w", kind, err)
		}
		licence, prose, _ := strings.Cut(string(text), "\n")
		if !strings.Contains(licence, "SPDX-License-Identifier") || strings.TrimSpace(prose) == "" {
			return nil, fmt.Errorf("%s: a licence and a text are required", name)
		}
		all = append(all, kindText{kind: kind, file: name, prose: prose})
	}
	return all, nil
}

// A kindText is the text about a kind of sink, without its licence.
type kindText struct{ kind, file, prose string }

// expand returns the page of a frame's text. The name is for errors.
func expand(name, text string, keys []schema.Key, kinds []kindText) (*page, error) {
	x := expander{keys: keys, kinds: kinds}
	if err := x.expand(name, text, 0); err != nil {
		return nil, err
	}
	x.page.roff = x.out.String()
	return &x.page, nil
}

// system is shown at the foot of the page. Without it, groff shows BSD.
const system = ".ds doc-volume-operating-system Linux"

// wholeWords turns hyphenation off: readers copy most of the words. groff resets .hy by
// this register.
const wholeWords = ".nr doc-hyphen-flags 0\n.hy 0"

type expander struct {
	page   page
	keys   []schema.Key
	kinds  []kindText
	out    strings.Builder
	inside bool // the last example
}

func (x *expander) write(line string) { x.out.WriteString(line + "\n") }

// expand adds the lines of a file, of which skipped lines are not in the text.
func (x *expander) expand(name, text string, skipped int) error {
	n := skipped
	for line := range strings.Lines(text) {
		n++
		at := fmt.Sprintf("%s:%d", name, n)
		if err := x.add(strings.TrimSuffix(line, "\n"), at); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		switch {
		case n == 1: // the licence
			x.write(`.\" Written by "make generate" from ` + name + `; edit that file.`)
		case strings.HasPrefix(line, ".Dd "): // loads the macros
			x.write(system)
		case strings.HasPrefix(line, ".Os "): // sets the hyphenation
			x.write(wholeWords)
		}
	}
	if x.inside {
		return fmt.Errorf("%s: no @end of the last example", name)
	}
	return nil
}

func (x *expander) add(line, at string) error {
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
		return x.direct(directive, at)
	default:
		x.write(readable(line))
	}
	return nil
}

var exampleKinds = []string{"yaml", "rules", "expr", "text"}

func (x *expander) direct(directive, at string) error {
	if section, ok := strings.CutPrefix(directive, "keys "); ok {
		list := keysIn(section, x.keys)
		if len(list) == 0 {
			return fmt.Errorf("no section or kind %q", section)
		}
		x.out.WriteString(keyList(list))
		return nil
	}
	if prefixes, ok := strings.CutPrefix(directive, "metrics "); ok {
		return x.addMetrics(strings.Fields(prefixes))
	}
	if directive == "kinds" {
		return x.addKinds()
	}
	if !slices.Contains(exampleKinds, directive) {
		return fmt.Errorf("unknown @%s", directive)
	}
	x.inside = true
	x.page.examples = append(x.page.examples, example{kind: directive, at: at})
	x.write(".Bd -literal -offset indent")
	return nil
}

func (x *expander) addKinds() error {
	for _, k := range x.kinds {
		x.write(".Ss " + k.kind)
		if err := x.expand(k.file, k.prose, 1); err != nil {
			return err
		}
		x.out.WriteString(keyList(keysIn(k.kind, x.keys)))
	}
	return nil
}
