// SPDX-License-Identifier: Apache-2.0

package match

import (
	"errors"
	"reflect"
	"strings"
	"time"
)

// maxTotalStates limits the regular expressions that one Compiler compiles in total, as
// maxStates limits a single one. Compiling this many states needs less than a second.
const maxTotalStates = 200_000

// A Compiler compiles the rules of all sinks of one configuration, each distinct text
// once. It is not safe for concurrent use. The rules that it returns are independent of
// it.
type Compiler struct {
	vocabulary Vocabulary
	states     int // of the regular expressions so far
	programs   map[source]*program
	extractors map[string]*extraction
}

// NewCompiler returns a Compiler for events with this vocabulary.
func NewCompiler(v Vocabulary) *Compiler {
	return &Compiler{vocabulary: v, programs: make(map[source]*program), extractors: make(map[string]*extraction)}
}

// A source identifies a program: its text and the context in which it is compiled.
type source struct {
	text, captures string
	kind           reflect.Kind
}

// A program is shared by all sinks with the same source.
type program struct {
	evaluators func() evaluator
	used       map[string]bool
	attributes *attributeTable
	err        error
}

// An extraction is shared by all sinks with the same pattern.
type extraction struct {
	extractor // without texts
	err       error
}

// Compile compiles the rules of one sink without a vocabulary.
func Compile(o Options) (*Rules, error) { return NewCompiler(Vocabulary{}).Compile(o) }

// Compile checks and compiles the rules of one sink. The error joins one *Error per
// invalid rule. Compile never panics, for any text.
func (c *Compiler) Compile(o Options) (*Rules, error) {
	r := &Rules{sample: uint64(max(o.Sample, 1)), bucket: newBucket(o.RateLimit)}
	r.SetSteady(func(t time.Time) time.Time { return t })
	var errs [3]error
	r.extract, errs[1] = c.extractor(o.Extract)
	names := r.extract.captureNames()
	if o.Filter != "" {
		r.filter, errs[0] = c.expression("filter", o.Filter, names, reflect.Bool)
	}
	r.window, errs[2] = newWindow(c, o.Dedup, names)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	r.env, r.extractFirst = newEnvironments(r.filter), r.filter.uses(captured)
	return r, nil
}

// expression returns a new expression, which may share its program with others.
func (c *Compiler) expression(key, text string, captures []string, kind reflect.Kind) (*expression, error) {
	from := source{text, strings.Join(captures, "\x00"), kind}
	p := c.programs[from]
	if p == nil {
		p = c.compile(text, captures, kind)
		c.programs[from] = p
	}
	if p.err != nil {
		var errs []error
		for _, err := range joined(p.err) {
			errs = append(errs, &Error{key, err})
		}
		return nil, errors.Join(errs...)
	}
	return &expression{key: key, evaluate: p.evaluators(), used: p.used, attributes: p.attributes}, nil
}

// extractor returns nil for an empty text. With an error, it returns an extractor that
// has only names.
func (c *Compiler) extractor(text string) (*extractor, error) {
	if text == "" {
		return nil, nil
	}
	e := c.extractors[text]
	if e == nil {
		e = c.newExtraction(text)
		c.extractors[text] = e
	}
	x := e.extractor
	x.texts = make([]string, len(x.names))
	return &x, e.err
}

// accept counts the states of a regular expression, and returns an error if it must not
// be compiled.
func (c *Compiler) accept(pattern string) error {
	n := maxStates + 1
	if len(pattern) <= maxText {
		n = states(pattern)
	}
	if n > maxStates {
		return errors.New("the pattern is too large; repeat less in it")
	}
	if c.states += n; c.states > maxTotalStates {
		return errors.New("the patterns of all sinks together are too large; repeat less in them, or use the same pattern in several sinks")
	}
	return nil
}
