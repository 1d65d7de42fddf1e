// SPDX-License-Identifier: Apache-2.0

package match

import (
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/expr-lang/expr/vm"
)

// maxTotalStates bounds the regular expressions of all rules that one Compiler compiles,
// as maxStates bounds one of them. Compiling so many takes less than a second.
const maxTotalStates = 200_000

// A Compiler compiles the rules of all sinks of one configuration: each distinct text
// once. It is not safe for concurrent use; the rules that it returns do not need it.
type Compiler struct {
	vocabulary Vocabulary
	states     int // of the regular expressions so far
	programs   map[source]*program
	extractors map[string]*extraction
}

// NewCompiler returns a Compiler for events of which the vocabulary is known.
func NewCompiler(v Vocabulary) *Compiler {
	return &Compiler{vocabulary: v, programs: make(map[source]*program), extractors: make(map[string]*extraction)}
}

// A source is what a program is compiled from.
type source struct {
	text, captures string
	kind           reflect.Kind
}

// A program is shared by all sinks with the same source.
type program struct {
	*vm.Program
	used map[string]bool
	err  error
}

// An extraction is shared by all sinks with the same pattern.
type extraction struct {
	extractor // without the texts of a last event
	err       error
}

// Compile compiles the rules of one sink for events of which nothing is known.
func Compile(o Options) (*Rules, error) { return NewCompiler(Vocabulary{}).Compile(o) }

// Compile checks and compiles the rules of one sink. The error joins an *Error for each
// that does not work; Compile never panics, whatever the texts contain.
func (c *Compiler) Compile(o Options) (*Rules, error) {
	r := &Rules{sample: uint64(max(o.Sample, 1)), bucket: newBucket(o.RateLimit)}
	r.Follow(func(t time.Time) time.Time { return t })
	var errs [3]error
	r.extract, errs[1] = c.extractor(o.Extract)
	names := r.extract.known()
	if o.Filter != "" {
		r.filter, errs[0] = c.expression("filter", o.Filter, names, reflect.Bool)
	}
	r.window, errs[2] = newWindow(c, o.Dedup, names)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	r.env, r.early = newEnviron(r.filter), r.filter.uses(captured)
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
		return nil, &Error{key, p.err}
	}
	return &expression{key: key, program: p.Program, used: p.used, machine: vm.VM{MemoryBudget: maxMemory}}, nil
}

// extractor returns nil for an empty text, and with an error one that has names only.
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

// accept counts the states of a regular expression, and reports why it must not be
// compiled.
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
