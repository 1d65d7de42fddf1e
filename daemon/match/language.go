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

// functions are those of expr whose cost is bounded by that of their arguments,
// and whose result depends on nothing else: not on a clock nor on files.
var functions = []string{
	"abs", "ceil", "date", "duration", "float", "floor", "indexOf", "int", "lastIndexOf", "len", "lower", "max", "min",
	"round", "split", "string", "trim", "trimPrefix", "trimSuffix", "upper",
}

// methods are those of a time, a weekday, a month and a duration.
var methods = []string{
	"Day", "Format", "Hour", "Hours", "Milliseconds", "Minute", "Minutes", "Month", "Second", "Seconds", "String", "Unix",
	"Weekday", "Year", "YearDay",
}

// maxStates bounds a regular expression: matching takes a step for each of its
// states and each byte of the text, at worst.
const maxStates = 2000

// maxSums bounds how often a text is copied to add another.
const maxSums = 50

// A dialect is what we take of the language of expr. It has no loops, no
// variables, no patterns made at run time, and nothing that can double a text, so
// that an expression costs at most its own length times that of the event's text,
// whoever may write that. It has no nil, which would make an error at run time of a
// field that is not there.
//
// As a visitor of the syntax tree it notes the first fault and the fields that are
// used, and puts an index in the place of each name of a capture.
type dialect struct {
	compiler *Compiler
	captures []string // the names that there are
	used     map[string]bool
	constant map[ast.Node]bool
	nils     bool // there is nil, as in JSON
	sums     int
	fault    *file.Error
}

// Visit implements ast.Visitor. Children come before their parents.
func (d *dialect) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.NilNode:
		if d.nils {
			break
		}
		d.refuse(n, "nothing here is nil: a field that is not there is empty, or 0")
	case *ast.VariableDeclaratorNode:
		d.refuse(n, "let is not supported")
	case *ast.PredicateNode, *ast.PointerNode:
		d.refuse(n, "functions that go through a list are not supported")
	case *ast.BuiltinNode:
		d.function(n)
	case *ast.CallNode:
		d.method(n)
	case *ast.BinaryNode:
		d.binary(n)
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			d.refuse(n, "unknown name $env")
		}
		d.used[n.Value] = true
	case *ast.MemberNode:
		d.label(n)
		d.member(node, n)
	}
	d.noteConstant(*node)
}

// function refuses what would cost more than its arguments: date reads a file for the
// name of a time zone. Between single characters, which split makes without a
// separator, string puts a space each and so makes a text twice as long, again and
// again.
func (d *dialect) function(n *ast.BuiltinNode) {
	switch {
	case !slices.Contains(functions, n.Name):
		d.refuse(n, "the function %s is not supported; there are %s", n.Name, strings.Join(functions, ", "))
	case n.Name == "date" && len(n.Arguments) > 2:
		d.refuse(n.Arguments[2], "date takes a text and its layout; it is in UTC unless the text has an offset")
	case n.Name == "split" && len(n.Arguments) > 1:
		if by, ok := n.Arguments[1].(*ast.StringNode); !ok || by.Value == "" {
			d.refuse(n.Arguments[1], "split needs a separator in quotes")
		}
	}
}

// method takes texts in quotes only: a layout that comes from the event could make
// a text longer, again and again.
func (d *dialect) method(n *ast.CallNode) {
	if of, ok := n.Callee.(*ast.MemberNode); ok {
		if name, ok := of.Property.(*ast.StringNode); ok && !slices.Contains(methods, name.Value) {
			d.refuse(name, "the method %s is not supported; there are %s", name.Value, strings.Join(methods, ", "))
		}
	}
	for _, argument := range n.Arguments {
		if _, ok := argument.(*ast.StringNode); !ok {
			d.refuse(argument, "a method takes nothing but a text in quotes")
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
			d.refuse(n, "there is more than %d times + in the expression", maxSums)
		}
	case "..":
		if !isInteger(n.Left) || !isInteger(n.Right) {
			d.refuse(n, "the ends of a range must be numbers, like 8..17")
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
		d.refuse(n, "a pattern must be one text in quotes")
		return
	}
	if err := d.compiler.accept(text.Value); err != nil {
		d.refuse(n, "%v", err)
	}
}

// states is the size of a regular expression's program; 0 if it has a fault, which
// others report.
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

// captured is the environment's list of captures. No expression can spell it.
const captured = "captured texts"

// member turns captures.NAME into an element of a list: names that do not exist
// are faults, and no event needs a map.
func (d *dialect) member(node *ast.Node, n *ast.MemberNode) {
	of, ok := n.Node.(*ast.IdentifierNode)
	if !ok || of.Value != "captures" {
		return
	}
	name, ok := n.Property.(*ast.StringNode)
	if !ok {
		d.refuse(n.Property, "write the name of a capture, like captures.unit")
		return
	}
	i := slices.Index(d.captures, name.Value)
	if i < 0 {
		d.refuse(n.Property, "unknown capture %s; %s", name.Value, d.known())
		return
	}
	list := &ast.IdentifierNode{Value: captured}
	list.SetLocation(of.Location())
	d.used[captured] = true
	ast.Patch(node, &ast.MemberNode{Node: list, Property: &ast.IntegerNode{Value: i}})
}

func (d *dialect) known() string {
	if len(d.captures) == 0 {
		return "extract has no named groups"
	}
	return "extract has " + strings.Join(d.captures, ", ")
}

func (d *dialect) refuse(n ast.Node, format string, args ...any) {
	if d.fault == nil {
		d.fault = &file.Error{Location: n.Location(), Message: fmt.Sprintf(format, args...)}
	}
}
