// SPDX-License-Identifier: Apache-2.0

package match

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Part is a part of an expression, with its value for one event. All texts are safe to show.
type Part struct {
	Text  string // of the part, as the compiler writes it
	Value string // JSON; empty after an error
	Error string // why the part cannot be evaluated
	// Unused is true if the part does not affect the result, as in false and x. Its value is
	// that of the part alone.
	Unused bool
	Parts  []Part // the parts that determine the value
}

// maxParts limits the number of parts of a trace; the parts after them are omitted.
const maxParts = 200

// Trace evaluates a filter for one event, and returns the values of its parts. extract is a
// pattern, or empty. The error joins one *Error per invalid rule, as that of Compile.
func (c *Compiler) Trace(filter, extract string, e *event.Event) (*Part, error) {
	rules, err := c.Compile(Options{Filter: filter, Extract: extract})
	if err != nil || rules.filter == nil {
		return nil, err
	}
	if e.Captures = nil; rules.extract != nil {
		rules.extract.apply(e)
	}
	t := &tracer{compiler: c, event: e, names: rules.extract.captureNames(), texts: rules.captures(e)}
	tree, err := parser.Parse(filter)
	if err != nil {
		return nil, &Error{"filter", explained(filter, eventNames(), err)}
	}
	part := t.part(tree.Node)
	return &part, nil
}

// A tracer evaluates the parts of one expression for one event.
type tracer struct {
	compiler *Compiler
	event    *event.Event
	names    []string // of the captures
	texts    []string // of the captures
	parts    int
}

// part returns a part with its value.
func (t *tracer) part(n ast.Node) (p Part) {
	p.Text = visible(n.String())
	value, err := t.evaluate(n)
	if err != nil {
		p.Error = visible(err.Error())
	} else {
		p.Value = shownValue(value)
	}
	p.Parts = t.partsOf(n)
	return p
}

// evaluate compiles a part of the expression as an expression of its own.
func (t *tracer) evaluate(n ast.Node) (any, error) {
	x, err := t.compiler.expression("filter", n.String(), t.names, reflect.Invalid)
	if err != nil {
		return nil, err
	}
	value, err := x.evaluate(newEnvironments(x).build(t.event, t.texts))
	if err == nil {
		return value, nil
	}
	var at *PositionError
	if err = positioned(err); errors.As(err, &at) {
		err = errors.New(at.Text) // the position is that in the text of the part
	}
	return nil, err
}

// partsOf returns the parts that determine the value of a node.
func (t *tracer) partsOf(n ast.Node) []Part {
	switch n := n.(type) {
	case *ast.BinaryNode:
		if isLogical(n.Operator) {
			return t.logical(n)
		}
		return t.operands(n.Left, n.Right)
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return t.add(n.Node, false)
		}
		return t.operands(n.Node)
	case *ast.ConditionalNode:
		parts := t.add(n.Cond, false)
		holds, _ := t.evaluate(n.Cond)
		return append(append(parts, t.add(n.Exp1, holds == false)...), t.add(n.Exp2, holds == true)...)
	case *ast.BuiltinNode:
		return t.operands(n.Arguments...)
	case *ast.CallNode:
		return t.operands(append([]ast.Node{n.Callee}, n.Arguments...)...)
	case *ast.MemberNode:
		return t.operands(n.Node, n.Property)
	case *ast.SliceNode:
		return t.operands(n.Node, n.From, n.To)
	case *ast.ChainNode:
		return t.partsOf(n.Node)
	}
	return nil
}

func isLogical(operator string) bool {
	return operator == "and" || operator == "or" || operator == "&&" || operator == "||"
}

// logical returns the two sides of and or or. The right one is unused if the left one decides.
func (t *tracer) logical(n *ast.BinaryNode) []Part {
	left, _ := t.evaluate(n.Left)
	decides := left == false
	if n.Operator == "or" || n.Operator == "||" {
		decides = left == true
	}
	return append(t.add(n.Left, false), t.add(n.Right, decides)...)
}

// add returns a part in a list, or nothing beyond the limit.
func (t *tracer) add(n ast.Node, unused bool) []Part {
	if t.parts++; t.parts > maxParts {
		return nil
	}
	p := t.part(n)
	p.Unused = unused
	return []Part{p}
}

// operands returns the nodes that are not the same for every event.
func (t *tracer) operands(nodes ...ast.Node) (parts []Part) {
	for _, n := range nodes {
		switch n := n.(type) {
		case nil:
		case *ast.ArrayNode:
			parts = append(parts, t.operands(n.Nodes...)...)
		case *ast.CallNode, *ast.BuiltinNode, *ast.BinaryNode, *ast.UnaryNode, *ast.ConditionalNode, *ast.SliceNode:
			if readsField(n) {
				parts = append(parts, t.add(n, false)...)
			}
		case *ast.ChainNode:
			parts = append(parts, t.operands(n.Node)...)
		case *ast.IdentifierNode:
			parts = append(parts, t.field(n)...)
		case *ast.MemberNode:
			parts = append(parts, t.member(n)...)
		}
	}
	return parts
}

// field returns a field, which does not have parts, or nothing for an object alone, such as
// attributes, and for a method.
func (t *tracer) field(n ast.Node) []Part {
	value, err := t.evaluate(n)
	if t.parts++; err != nil || t.parts > maxParts || isFunction(value) {
		return nil
	}
	return []Part{{Text: visible(n.String()), Value: shownValue(value)}}
}

func isFunction(value any) bool {
	of := reflect.TypeOf(value)
	return of != nil && of.Kind() == reflect.Func
}

// member returns a field such as labels.site, or an element of the result of a function.
func (t *tracer) member(n *ast.MemberNode) []Part {
	of := n.Node
	for {
		switch inner := of.(type) {
		case *ast.MemberNode:
			of = inner.Node
			continue
		case *ast.IdentifierNode:
			if parts := t.field(n); parts != nil {
				return parts
			}
			return t.operands(n.Node) // a method
		}
		return t.add(n, false)
	}
}

// readsField reports whether a node contains a field of the event.
func readsField(n ast.Node) bool {
	finder := &fieldFinder{}
	ast.Walk(&n, finder)
	return finder.found
}

type fieldFinder struct{ found bool }

// Visit implements ast.Visitor.
func (f *fieldFinder) Visit(n *ast.Node) {
	_, is := (*n).(*ast.IdentifierNode)
	f.found = f.found || is
}

// maxValue limits the length of a value that is not a text, in bytes.
const maxValue = 1000

// shownValue returns a value as JSON. Long texts are cut.
func shownValue(value any) string {
	switch v := value.(type) {
	case string:
		return shownText(v)
	case time.Time:
		return shownText(v.Format(time.RFC3339Nano))
	case fmt.Stringer:
		return shownText(v.String())
	}
	text, err := json.Marshal(value)
	if err != nil { // NaN, for example
		return shownText(fmt.Sprint(value))
	}
	if len(text) > maxValue {
		return shownText(string(text))
	}
	return string(event.AppendVisibleJSON(nil, text))
}

func shownText(text string) string {
	if len(text) > maxShown {
		text = text[:maxShown] + "…"
	}
	return string(append(event.AppendJSONText([]byte{'"'}, text), '"'))
}
