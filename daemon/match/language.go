// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// functions are the supported functions of expr. Their cost is limited by their
// arguments, and their result depends only on these, not on a clock or on files.
var functions = []string{
	"abs", "ceil", "date", "duration", "float", "floor", "indexOf", "int", "lastIndexOf", "len", "lower", "max", "min",
	"round", "split", "string", "trim", "trimPrefix", "trimSuffix", "upper",
}

// methods are the supported methods of times, weekdays, months and durations.
var methods = []string{
	"Day", "Format", "Hour", "Hours", "Milliseconds", "Minute", "Minutes", "Month", "Second", "Seconds", "String", "Unix",
	"Weekday", "Year", "YearDay",
}

// maxStates limits a regular expression. In the worst case, matching needs one step per
// state and byte of the text.
const maxStates = 2000

// maxSums limits the operators + in an expression, each of which copies a text.
const maxSums = 50

// A dialect is the supported part of the language of expr. It excludes loops,
// variables, patterns built at run time and everything that can double a text. The cost
// of an expression is therefore at most its length times that of the event's text, for
// any text. It also excludes nil, which would turn an absent field into an error at run
// time.
//
// As a visitor of the syntax tree, it records the first fault and the fields that are
// used, and replaces the name of each capture by an index.
type dialect struct {
	compiler *Compiler
	captures []string // the known names
	used     map[string]bool
	constant map[ast.Node]bool
	allowNil bool // for JSON
	sums     int
	fault    *file.Error
}

// Visit implements ast.Visitor. It is called for children before their parents.
func (d *dialect) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.NilNode:
		if d.allowNil {
			break
		}
		d.reject(n, "nil is not supported; an absent field is empty or 0")
	case *ast.VariableDeclaratorNode:
		d.reject(n, "let is not supported")
	case *ast.PredicateNode, *ast.PointerNode:
		d.reject(n, "functions that iterate over a list are not supported")
	case *ast.BuiltinNode:
		d.function(n)
	case *ast.CallNode:
		d.method(n)
	case *ast.BinaryNode:
		d.binary(n)
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			d.reject(n, "unknown name $env")
		}
		d.used[n.Value] = true
	case *ast.MemberNode:
		d.label(n)
		d.member(node, n)
	}
	d.noteConstant(*node)
}

// function rejects functions whose cost is not limited by their arguments. date reads a
// file for the name of a time zone. split without a separator returns single
// characters, and string writes them with spaces between, which doubles a text at each
// use.
func (d *dialect) function(n *ast.BuiltinNode) {
	switch {
	case !slices.Contains(functions, n.Name):
		d.reject(n, "the function %s is not supported; use one of %s", n.Name, strings.Join(functions, ", "))
	case n.Name == "date" && len(n.Arguments) > 2:
		d.reject(n.Arguments[2], "date accepts only a text and a layout; the time is in UTC unless the text contains an offset")
	case n.Name == "split" && len(n.Arguments) > 1:
		if by, ok := n.Arguments[1].(*ast.StringNode); !ok || by.Value == "" {
			d.reject(n.Arguments[1], "split requires a separator in quotes")
		}
	}
}

// method accepts only texts in quotes: a layout from the event could lengthen a text at
// each use.
func (d *dialect) method(n *ast.CallNode) {
	if of, ok := n.Callee.(*ast.MemberNode); ok {
		if name, ok := of.Property.(*ast.StringNode); ok && !slices.Contains(methods, name.Value) {
			d.reject(name, "the method %s is not supported; use one of %s", name.Value, strings.Join(methods, ", "))
		}
	}
	for _, argument := range n.Arguments {
		if _, ok := argument.(*ast.StringNode); !ok {
			d.reject(argument, "the argument of a method must be a text in quotes")
		}
	}
}

func (d *dialect) binary(n *ast.BinaryNode) {
	d.comparison(n)
	switch n.Operator {
	case "matches":
		d.pattern(n.Right)
	case "+":
		if d.sums++; d.sums > maxSums {
			d.reject(n, "the expression contains more than %d operators +", maxSums)
		}
	case "..":
		if !isInteger(n.Left) || !isInteger(n.Right) {
			d.reject(n, "the ends of a range must be numbers, such as 8..17")
		}
	}
}

func isInteger(n ast.Node) bool {
	if minus, ok := n.(*ast.UnaryNode); ok {
		n = minus.Node
	}
	_, ok := n.(*ast.IntegerNode)
	return ok
}

func (d *dialect) pattern(n ast.Node) {
	text, ok := n.(*ast.StringNode)
	if !ok {
		d.reject(n, "a pattern must be one text in quotes")
		return
	}
	if err := d.compiler.accept(text.Value); err != nil {
		d.reject(n, "%v", err)
	}
}

// states returns the size of a regular expression's program, or 0 if it is invalid,
// which the compiler reports.
func states(pattern string) int {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	program, err := syntax.Compile(re.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst)
}

// captured is the name of the list of captures in the environment. No expression can
// contain it.
const captured = "captured texts"

// member replaces captures.NAME by an element of a list. Unknown names are then faults,
// and no event needs a map.
func (d *dialect) member(node *ast.Node, n *ast.MemberNode) {
	of, ok := n.Node.(*ast.IdentifierNode)
	if !ok || of.Value != "captures" {
		return
	}
	name, ok := n.Property.(*ast.StringNode)
	if !ok {
		d.reject(n.Property, "write the name of a capture, such as captures.unit")
		return
	}
	i := slices.Index(d.captures, name.Value)
	if i < 0 {
		d.reject(n.Property, "unknown capture %s; %s", name.Value, d.captureList())
		return
	}
	list := &ast.IdentifierNode{Value: captured}
	list.SetLocation(of.Location())
	d.used[captured] = true
	ast.Patch(node, &ast.MemberNode{Node: list, Property: &ast.IntegerNode{Value: i}})
}

func (d *dialect) captureList() string {
	if len(d.captures) == 0 {
		return "extract contains no named groups"
	}
	return "extract has " + strings.Join(d.captures, ", ")
}

func (d *dialect) reject(n ast.Node, format string, args ...any) {
	if d.fault == nil {
		d.fault = &file.Error{Location: n.Location(), Message: fmt.Sprintf(format, args...)}
	}
}
