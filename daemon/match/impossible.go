// SPDX-License-Identifier: Apache-2.0

package match

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
)

// letterCase rejects the comparison of lower(...) with a text in capitals, and of
// upper(...) with one in small letters.
func (d *dialect) letterCase(n *ast.BinaryNode) {
	function, constant := n.Left, n.Right
	if _, ok := function.(*ast.BuiltinNode); !ok && (n.Operator == "==" || n.Operator == "!=") {
		function, constant = n.Right, n.Left
	}
	call, ok := function.(*ast.BuiltinNode)
	convert := map[string]func(string) string{"lower": strings.ToLower, "upper": strings.ToUpper}
	if !ok || convert[call.Name] == nil || d.constant[function] ||
		!slices.Contains([]string{"==", "!=", "in", "contains", "startsWith", "endsWith"}, n.Operator) {
		return
	}
	for at, text := range d.texts(constant) {
		if right := convert[call.Name](text); right != text {
			d.suspect(at, "%s(...) %s %q; write %q", call.Name, verb(n.Operator), text, right)
		}
	}
}

// Bounds are the least and the greatest value of a number.
type bounds struct {
	least, greatest float64
}

// boundsOf returns the bounds of fields, functions and methods, if they are known.
func boundsOf(n ast.Node) (name string, b bounds, ok bool) {
	switch name = fieldOf(n); name {
	case "seq", "kernel_seq", "gap.count":
		return name, bounds{0, math.Inf(1)}, true
	case "status":
		return name, bounds{100, 599}, true
	}
	switch n := n.(type) {
	case *ast.BuiltinNode:
		if n.Name == "len" {
			return "len(...)", bounds{0, math.Inf(1)}, true
		}
	case *ast.CallNode:
		method, of := methodOf(n)
		if of != reflect.TypeFor[time.Time]() {
			break
		}
		b, ok = map[string]bounds{
			"Hour": {0, 23}, "Minute": {0, 59}, "Second": {0, 59}, "Day": {1, 31}, "YearDay": {1, 366},
		}[method]
		return method + "()", b, ok
	}
	return "", bounds{}, false
}

// methodOf returns the name of a method that is called, and its type.
func methodOf(n ast.Node) (name string, of reflect.Type) {
	call, ok := n.(*ast.CallNode)
	if !ok {
		return "", nil
	}
	member, ok := call.Callee.(*ast.MemberNode)
	if !ok {
		return "", nil
	}
	text, ok := member.Property.(*ast.StringNode)
	if !ok {
		return "", nil
	}
	return text.Value, member.Node.Type()
}

// mirrored are the operators for exchanged operands.
var mirrored = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}

// bounds rejects a comparison of a number with a value that is beyond its bounds.
func (d *dialect) bounds(n *ast.BinaryNode) {
	operator, number, constant := n.Operator, n.Left, n.Right
	if d.constant[number] && mirrored[operator] != "" {
		operator, number, constant = mirrored[operator], n.Right, n.Left
	}
	name, b, ok := boundsOf(number)
	if !ok {
		return
	}
	for at, value := range d.numbers(constant) {
		if !b.decide(operator, value) {
			d.suspect(at, "%s is %s, so %q is the same for every event; compare it with another number", name, b, operator)
		}
	}
}

// decide reports whether a comparison can be true and can be false.
func (b bounds) decide(operator string, value float64) bool {
	switch operator {
	case "==", "!=", "in":
		return value >= b.least && value <= b.greatest
	case "<", ">=":
		return value > b.least && value <= b.greatest
	case ">", "<=":
		return value >= b.least && value < b.greatest
	}
	return true
}

func (b bounds) String() string {
	if math.IsInf(b.greatest, 1) {
		return fmt.Sprintf("at least %g", b.least)
	}
	return fmt.Sprintf("from %g to %g", b.least, b.greatest)
}

// numbers yields the numbers of a constant, with their nodes.
func (d *dialect) numbers(n ast.Node) iter.Seq2[ast.Node, float64] {
	return func(yield func(ast.Node, float64) bool) {
		elements := []ast.Node{n}
		switch n := n.(type) {
		case *ast.ArrayNode:
			elements = n.Nodes
		case *ast.BinaryNode:
			if n.Operator == ".." {
				return // a range may exceed the bounds: time.Hour() in 20..30
			}
		}
		for _, element := range elements {
			value, _ := d.evaluate(element)
			v, float := reflect.ValueOf(value), reflect.TypeFor[float64]()
			if v.IsValid() && v.CanConvert(float) && !yield(element, v.Convert(float).Float()) {
				return
			}
		}
	}
}

// emptyRange rejects 5..1.
func (d *dialect) emptyRange(n *ast.BinaryNode) {
	from, _ := d.evaluate(n.Left)
	to, _ := d.evaluate(n.Right)
	a, ok1 := from.(int)
	b, ok2 := to.(int)
	if ok1 && ok2 && a > b {
		d.suspect(n, "the range %d..%d is empty; write %[2]d..%[1]d", a, b)
	}
}

// elements rejects an empty list after in, and elements of another type than the value
// before it.
func (d *dialect) elements(n *ast.BinaryNode) {
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		return
	}
	if len(list.Nodes) == 0 {
		d.suspect(list, "the list is empty, so the result is the same for every event; write the values into it")
	}
	of := n.Left.Type()
	if of == nil {
		return
	}
	for _, element := range list.Nodes {
		switch is := element.Type(); {
		case is == nil:
		case of.Kind() == reflect.String && is.Kind() == reflect.Int:
			d.suspect(element, "the value before in is a text; write the number in quotes")
		case of == reflect.TypeFor[int]() && is.Kind() == reflect.String:
			d.suspect(element, "the value before in is a number; write the number without quotes")
		}
	}
}

// constantResult rejects an expression whose result is the same for every event, except
// the words true and false.
func (d *dialect) constantResult() error {
	if _, isWord := d.root.(*ast.BoolNode); isWord || !d.constant[d.root] {
		return nil
	}
	return errors.New("the result is the same for every event; compare a field such as message, or write true or false")
}

// The forms of ids.
var (
	loadIDForm  = regexp.MustCompile(`^([0-9a-f]{16})?$`)
	eventIDForm = regexp.MustCompile(`^[0-9a-f]+-[1-9][0-9]*$`)
	systemdForm = regexp.MustCompile(`^([0-9a-f]{32})?$`) // of machine-id(5)
)

// formOf returns the form of an id, and an example; nil for any other field.
func formOf(field string) (form *regexp.Regexp, example string) {
	switch field {
	case "load_id":
		return loadIDForm, "1e1b58c6a77ddc69"
	case "id":
		return eventIDForm, "6a9155caa46c7dcc-1"
	case "machine_id", "boot_id":
		return systemdForm, "b08dfa6083e7567a1921a715000001fb"
	}
	return nil, ""
}

// form rejects the comparison of an id with a text that is not one.
func (d *dialect) form(operator, field string, constant ast.Node) {
	form, example := formOf(field)
	if form == nil || d.compiler.vocabulary.Fields == nil || !slices.Contains([]string{"==", "!=", "in"}, operator) {
		return
	}
	for at, text := range d.texts(constant) {
		if !form.MatchString(text) {
			d.suspect(at, "%s is never %q; it has the form %q", field, text, example)
		}
	}
}

// namesOfTime are the values of the names of days and months.
func namesOfTime() map[string]FieldValues {
	var days, months []string
	for day := time.Sunday; day <= time.Saturday; day++ {
		days = append(days, day.String())
	}
	for month := time.January; month <= time.December; month++ {
		months = append(months, month.String())
	}
	return map[string]FieldValues{weekdayName: {Values: days}, monthName: {Values: months}}
}

// The fields of namesOfTime.
const (
	weekdayName = "Weekday().String()"
	monthName   = "Month().String()"
)
