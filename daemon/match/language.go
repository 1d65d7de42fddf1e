// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"reflect"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"github.com/genltestd/genltestd/internal/sorting"
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

// maxFaults is the maximum number of reported faults of one expression.
const maxFaults = 5

// maxSums limits the operators + in an expression, each of which copies a text.
const maxSums = 50

// A dialect is the supported part of the language of expr. It excludes loops,
// variables, patterns built at run time and everything that can double a text. The cost
// of an expression is therefore at most its length times that of the event's text, for
// any text. It also excludes nil, which would turn an absent field into an error at run
// time.
//
// As a visitor of the syntax tree, it records faults and the fields that are used, and
// replaces the name of each capture and attribute by an index.
type dialect struct {
	compiler *Compiler
	names    names
	captures []string // the known names
	used     map[string]bool
	constant map[ast.Node]bool
	allowNil bool     // for JSON
	root     ast.Node // the last visited node
	sums     int

	attributes *attributeTable // of the attributes that are used
	objects    attributeObjects
	// fault is the first use of something that is not supported, which may cause other
	// faults. The suspects are independent of each other: unknown names, and values that
	// a field never has.
	fault    *file.Error
	suspects []*file.Error
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
		d.presence(node, n)
	case *ast.IdentifierNode:
		if n.Value != captured && !slices.Contains(d.names.known, n.Value) {
			d.suspect(n, "unknown name %s", n.Value)
		}
		d.used[n.Value] = true
		d.attributeRoot(n)
	case *ast.MemberNode:
		d.label(n)
		d.member(node, n)
		d.attribute(node, n)
	}
	d.noteConstant(*node)
	d.root = *node
}

// function rejects functions whose cost is not limited by their arguments. date reads a
// file for the name of a time zone. split without a separator returns single
// characters, and string writes them with spaces between, which doubles a text at each
// use.
func (d *dialect) function(n *ast.BuiltinNode) {
	switch {
	case !slices.Contains(functions, n.Name):
		d.unsupported(n, n.Name)
	case n.Name == "date" && len(n.Arguments) > 2:
		d.reject(n.Arguments[2], "date accepts only a text and a layout; the time is in UTC unless the text contains an offset")
	case n.Name == "split" && len(n.Arguments) > 1:
		if by, ok := n.Arguments[1].(*ast.StringNode); !ok || by.Value == "" {
			d.reject(n.Arguments[1], "split requires a separator in quotes")
		}
	}
	d.arguments(n)
}

func (d *dialect) unsupported(n ast.Node, function string) {
	d.reject(n, "the function %s is not supported; use one of %s", function, strings.Join(functions, ", "))
}

// textArguments are the minimum and maximum numbers of arguments of the functions that
// accept only texts.
var textArguments = map[string][2]int{
	"lower": {1, 1}, "upper": {1, 1}, "trim": {1, 2}, "trimPrefix": {2, 2}, "trimSuffix": {2, 2}, "split": {2, 2},
	"indexOf": {2, 2}, "lastIndexOf": {2, 2}, "date": {1, 2}, "duration": {1, 1},
}

// numberArguments are those of the functions that accept numbers.
var numberArguments = map[string][2]int{
	"abs": {1, 1}, "ceil": {1, 1}, "floor": {1, 1}, "round": {1, 1}, "max": {1, maxNodes}, "min": {1, maxNodes},
}

// otherArguments are those of the functions that accept several types.
var otherArguments = map[string][2]int{"int": {1, 1}, "float": {1, 1}, "string": {1, 1}, "len": {1, 1}}

// arguments rejects a wrong number of arguments, and arguments of a wrong type.
func (d *dialect) arguments(n *ast.BuiltinNode) {
	for _, kind := range []struct {
		limits map[string][2]int
		reject reflect.Kind
		remedy string
	}{
		{textArguments, reflect.Int, "%s requires a text; write string(...) around the number"},
		{numberArguments, reflect.String, "%s requires a number; write int(...) around the text"},
		{otherArguments, reflect.Invalid, ""},
	} {
		limits, ok := kind.limits[n.Name]
		if !ok {
			continue
		}
		if got := len(n.Arguments); got < limits[0] || got > limits[1] {
			d.reject(n, "%s requires %s, and has %d", n.Name, argumentCount(limits), got)
			return
		}
		for _, argument := range n.Arguments {
			if of := argument.Type(); of != nil && of.Kind() == kind.reject {
				d.reject(argument, kind.remedy, n.Name)
			}
		}
	}
	if n.Name == "len" && len(n.Arguments) == 1 {
		if of := n.Arguments[0].Type(); of != nil && (of.Kind() == reflect.Int || of.Kind() == reflect.Float64) {
			d.reject(n.Arguments[0], "len requires a text; write string(...) around the number")
		}
	}
}

func argumentCount(limits [2]int) string {
	switch {
	case limits[1] == 1:
		return "1 argument"
	case limits[1] == maxNodes:
		return "at least 1 argument"
	case limits[0] == limits[1]:
		return fmt.Sprintf("%d arguments", limits[0])
	}
	return fmt.Sprintf("%d or %d arguments", limits[0], limits[1])
}

// method accepts only texts in quotes: a layout from the event could lengthen a text at
// each use.
func (d *dialect) method(n *ast.CallNode) {
	if function, ok := n.Callee.(*ast.IdentifierNode); ok {
		d.suspects = slices.DeleteFunc(d.suspects, func(s *file.Error) bool { return s.Location == function.Location() })
		d.unsupported(function, function.Value)
		return
	}
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
	d.letterCase(n)
	d.bounds(n)
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
		d.emptyRange(n)
	case "in":
		d.elements(n)
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
	if _, err := syntax.Parse(text.Value, syntax.Perl); err != nil {
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
		d.suspect(n.Property, "unknown capture %s; %s", name.Value, d.captureList())
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

// suspect records a fault that does not hide others.
func (d *dialect) suspect(n ast.Node, format string, args ...any) {
	known := slices.ContainsFunc(d.suspects, func(s *file.Error) bool { return s.Location == n.Location() })
	if !known && len(d.suspects) < maxFaults {
		d.suspects = append(d.suspects, &file.Error{Location: n.Location(), Message: fmt.Sprintf(format, args...)})
	}
}

// faults returns all faults, in the order of the text.
func (d *dialect) faults() []*file.Error {
	if d.fault != nil {
		return []*file.Error{d.fault}
	}
	d.openObjects()
	sorting.Stable(d.suspects, func(a, b *file.Error) int { return a.From - b.From })
	return d.suspects
}

func (d *dialect) reject(n ast.Node, format string, args ...any) {
	if d.fault == nil {
		d.fault = &file.Error{Location: n.Location(), Message: fmt.Sprintf(format, args...)}
	}
}
