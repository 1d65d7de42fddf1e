// SPDX-License-Identifier: Apache-2.0

package match

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

const (
	maxText   = 16 << 10 // bytes of an expression
	maxNodes  = 2000     // operands, operators and calls
	maxMemory = 10000    // elements of the lists that it creates
)

// An expression is a compiled text. It is not safe for concurrent use.
type expression struct {
	key      string
	evaluate evaluator
	used     map[string]bool

	attributes *attributeTable
}

// An evaluator runs a program. It hides the types of the library: templates can call the
// methods of each type within rules by name, so the daemon would contain all of them.
type evaluator func(env any) (any, error)

// evaluatorsOf returns a constructor of evaluators, each for one expression.
func evaluatorsOf(p *vm.Program) func() evaluator {
	return func() evaluator {
		machine := vm.VM{MemoryBudget: maxMemory} // reused for its stack
		return func(env any) (any, error) { return machine.Run(p, env) }
	}
}

// compile checks that the text is in our dialect and returns a value of the kind.
func (c *Compiler) compile(text string, captures []string, kind reflect.Kind) (p *program) {
	p = &program{used: make(map[string]bool), attributes: new(attributeTable)}
	defer func() {
		if cause := recover(); cause != nil {
			p.err = fmt.Errorf("the expression cannot be compiled: %v", cause)
		}
		if p.err != nil {
			p.err = explainedAll(text, eventNames(), p.err)
		}
	}()
	if len(text) > maxText {
		p.err = fmt.Errorf("the expression is longer than %d bytes; shorten it", maxText)
		return p
	}
	d := &dialect{
		compiler: c, names: eventNames(), captures: captures, used: p.used, constant: make(map[ast.Node]bool), attributes: p.attributes,
	}
	compiled, err := expr.Compile(text, expr.Env(environment{}), expr.Patch(d), expr.MaxNodes(maxNodes), expecting(kind))
	p.evaluators, p.err = evaluatorsOf(compiled), err
	if faults := d.faults(); len(faults) > 0 {
		p.err = bound(faults, text)
	} else if p.err == nil && kind == reflect.Bool {
		p.err = d.constantResult()
	}
	return p
}

// bound adds the positions in the text to faults, and joins them.
func bound(faults []*file.Error, text string) error {
	var errs []error
	for _, fault := range faults {
		errs = append(errs, fault.Bind(file.NewSource(text)))
	}
	return errors.Join(errs...)
}

// expecting rejects an expression that may return a value of another kind at run time.
func expecting(kind reflect.Kind) expr.Option {
	return func(c *conf.Config) { c.Expect, c.ExpectAny = kind, false }
}

// run evaluates the expression. An error is an *Error.
func (x *expression) run(env any) (any, error) {
	value, err := x.evaluate(env)
	if err != nil {
		return nil, &Error{x.key, positioned(err)}
	}
	return value, nil
}

func (x *expression) uses(field string) bool { return x != nil && x.used[field] }
