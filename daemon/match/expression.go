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
	key     string
	program *vm.Program
	used    map[string]bool
	machine vm.VM // reused for its stack

	attributes *attributeTable
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
	p.Program, p.err = expr.Compile(text, expr.Env(environment{}), expr.Patch(d), expr.MaxNodes(maxNodes), expecting(kind))
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
	value, err := x.machine.Run(x.program, env)
	if err != nil {
		return nil, &Error{x.key, positioned(err)}
	}
	return value, nil
}

func (x *expression) uses(field string) bool { return x != nil && x.used[field] }
