// SPDX-License-Identifier: Apache-2.0

package match

import (
	"errors"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// noteConstant records whether the value of n is the same for every event, and rejects
// n if it then fails for every event. The children of n must be recorded before.
func (d *dialect) noteConstant(n ast.Node) {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode:
		d.constant[n] = true
	case *ast.UnaryNode:
		d.constant[n] = d.constant[n.Node]
	case *ast.BinaryNode:
		d.constant[n] = d.allConstant(n.Left, n.Right)
		d.division(n)
	case *ast.MemberNode:
		d.constant[n] = d.allConstant(n.Node, n.Property)
		d.failing(n)
	case *ast.ArrayNode:
		d.constant[n] = d.allConstant(n.Nodes...)
	case *ast.ConditionalNode:
		d.constant[n] = d.allConstant(n.Cond, n.Exp1, n.Exp2)
	case *ast.BuiltinNode:
		d.constant[n] = d.allConstant(n.Arguments...)
		d.failing(n)
		d.layout(n)
	case *ast.CallNode:
		d.constant[n] = d.allConstant(append(n.Arguments, n.Callee)...)
		d.failing(n)
	}
}

func (d *dialect) allConstant(nodes ...ast.Node) bool {
	for _, n := range nodes {
		if !d.constant[n] {
			return false
		}
	}
	return true
}

// failing rejects a constant that fails.
func (d *dialect) failing(n ast.Node) {
	if _, err := d.evaluate(n); err != nil {
		d.suspect(n, "fails for every event: %s", err.Message)
	}
}

// evaluate returns the value of a constant. It returns nil for any other node, and for
// a type error, which the compiler reports with its position.
func (d *dialect) evaluate(n ast.Node) (any, *file.Error) {
	if !d.constant[n] || d.fault != nil {
		return nil, nil
	}
	program, err := expr.Compile(n.String(), expr.MaxNodes(maxNodes))
	if err != nil {
		return nil, nil
	}
	value, err := (&vm.VM{MemoryBudget: maxMemory}).Run(program, nil)
	var fault *file.Error
	errors.As(err, &fault)
	return value, fault
}

func (d *dialect) division(n *ast.BinaryNode) {
	if by, ok := n.Right.(*ast.IntegerNode); ok && by.Value == 0 && (n.Operator == "/" || n.Operator == "%") {
		d.suspect(n, "fails for every event: division by zero")
	}
}

// layout rejects a layout of date that contains no part of a date.
func (d *dialect) layout(n *ast.BuiltinNode) {
	if n.Name != "date" || len(n.Arguments) != 2 {
		return
	}
	text, ok := n.Arguments[1].(*ast.StringNode)
	if !ok {
		return
	}
	a, b := time.Unix(1, 1).UTC(), time.Date(2034, 5, 16, 17, 18, 19, 200, time.UTC)
	if a.Format(text.Value) == b.Format(text.Value) {
		d.reject(text, "the layout %q contains no part of a date; write one like \"2006-01-02 15:04:05\"", text.Value)
	}
}
