// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"reflect"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

const (
	maxText   = 16 << 10 // bytes of an expression
	maxNodes  = 2000     // operands, operators and calls
	maxMemory = 10000    // elements of the lists that it makes
)

// An expression is a compiled text. It is not safe for concurrent use.
type expression struct {
	key     string
	program *vm.Program
	used    map[string]bool
	machine vm.VM // kept for its stack
}

// compile checks that the text is of our dialect and gives a value of the kind.
func compile(key, text string, captures []string, kind reflect.Kind) (x *expression, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the expression cannot be compiled: %v", p)
		}
		if err != nil {
			x, err = nil, &Error{key, readable(err)}
		}
	}()
	if len(text) > maxText {
		return nil, fmt.Errorf("is longer than %d bytes", maxText)
	}
	d := &dialect{captures: captures, used: make(map[string]bool)}
	program, err := expr.Compile(text, expr.Env(environment{}), expr.Patch(d), expr.MaxNodes(maxNodes), expecting(kind))
	if d.fault != nil {
		return nil, d.fault.Bind(file.NewSource(text))
	}
	if err != nil {
		return nil, err
	}
	return &expression{key: key, program: program, used: d.used, machine: vm.VM{MemoryBudget: maxMemory}}, nil
}

// expecting refuses what may turn out, at run time only, to give something else.
func expecting(kind reflect.Kind) expr.Option {
	return func(c *conf.Config) { c.Expect, c.ExpectAny = kind, false }
}

// run evaluates the expression; an error of it is an *Error.
func (x *expression) run(env any) (any, error) {
	value, err := x.machine.Run(x.program, env)
	if err != nil {
		return nil, &Error{x.key, readable(err)}
	}
	return value, nil
}

func (x *expression) uses(field string) bool { return x != nil && x.used[field] }
