// SPDX-License-Identifier: Apache-2.0

package match

import (
	"iter"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/genltestd/genltestd/daemon/ynl"
	"github.com/genltestd/genltestd/internal/similar"
)

// A Vocabulary contains the values that some fields of events can have. A comparison
// with another value is a mistake, because its result is the same for every event. The
// zero Vocabulary contains no field.
type Vocabulary struct {
	Fields map[string]FieldValues // by name, such as kind or gap.reason
	// Labels are the names in event.labels; nil if they are not known.
	Labels []string
	// Attributes returns the field at a path in the attributes of events: see ynl.Spec. It
	// returns the type 0 for a field whose type is not known. Attributes is nil if no event
	// has attributes.
	Attributes func(path []string) (ynl.Field, bool)
}

// FieldValues are all values that one field can have.
type FieldValues struct {
	Values    []string
	Advice    string // the remedy; if empty, it is the list of values
	OrNumbers bool   // numbers in decimal digits are values too
	// Unlisted is the remedy for a text that is similar to one of Values, but another value,
	// because Values may be incomplete. If it is empty, Values are complete.
	Unlisted string
}

// isUnlisted reports whether a text may be a value that is not in the list.
func (f *FieldValues) isUnlisted(operator, text string) bool {
	return f.Unlisted != "" && (!isEquality(operator) || similar.Closest(text, f.Values) == "")
}

func isEquality(operator string) bool {
	return operator == "==" || operator == "!=" || operator == "in"
}

// advice returns the remedy for a text that is not one of the values.
func (f *FieldValues) advice(text string) string {
	if f.Advice != "" || f.Unlisted != "" {
		if best := similar.Closest(text, f.Values); best != "" {
			remedy := "write " + strconv.Quote(best)
			if f.Unlisted != "" {
				remedy += ", or " + f.Unlisted
			}
			return remedy
		}
		return f.Advice
	}
	var quoted []string
	for _, value := range f.Values {
		if value != "" {
			quoted = append(quoted, strconv.Quote(value))
		}
	}
	list := strings.Join(quoted, ", ")
	if last := strings.LastIndex(list, ", "); last >= 0 {
		list = list[:last] + " or " + list[last+2:]
	}
	return "write " + list
}

// comparison rejects the comparison of a field with a text that is not one of its
// values.
func (d *dialect) comparison(n *ast.BinaryNode) {
	field, constant := d.fieldOf(n.Left), n.Right
	if field == "" && (n.Operator == "==" || n.Operator == "!=") {
		field, constant = d.fieldOf(n.Right), n.Left
	}
	isNever := verb(n.Operator)
	if list, ok := d.objects.paths[n.Right]; ok && n.Operator == "in" {
		field, constant, isNever = list.String(), n.Left, verb("contains")
	}
	values, ok := d.valuesOf(field)
	if !ok {
		d.form(n.Operator, field, constant)
		values, ok = namesOfTime()[field]
	}
	if !ok {
		d.labelIn(n)
		return
	}
	for at, text := range d.texts(constant) {
		if values.OrNumbers && (ynl.IsNumber(text) || !isEquality(n.Operator)) || values.isUnlisted(n.Operator, text) {
			continue
		}
		if n.Operator == "!=" && text == "" && len(values.Values) == 1 && values.Values[0] == "" {
			d.suspect(at, "%s is always %q; %s", field, text, values.advice(text))
			continue
		}
		if !slices.ContainsFunc(values.Values, func(value string) bool { return canHold(n.Operator, value, text) }) {
			d.suspect(at, "%s %s %q; %s", field, isNever, text, values.advice(text))
		}
	}
}

// fieldOf returns the name of the field or the attribute that a node reads, or "".
func (d *dialect) fieldOf(n ast.Node) string {
	if path, ok := d.objects.paths[n]; ok {
		return path.String()
	}
	return fieldOf(n)
}

// valuesOf returns the values of a field, if they are known.
func (d *dialect) valuesOf(field string) (values FieldValues, ok bool) {
	values, ok = d.compiler.vocabulary.Fields[field]
	if ok || !strings.HasPrefix(field, attributesName+".") {
		return values, ok
	}
	for _, path := range d.objects.paths {
		if path.String() != field {
			continue
		}
		known, _ := d.compiler.vocabulary.Attributes(path)
		if known.Values == nil {
			break
		}
		return FieldValues{Values: append(known.Values, ""), Advice: "write one of " + similar.List(known.Values), OrNumbers: true}, true
	}
	return FieldValues{}, false
}

func verb(operator string) string {
	switch operator {
	case "contains":
		return "never contains"
	case "startsWith":
		return "never starts with"
	case "endsWith":
		return "never ends with"
	case "matches":
		return "never matches"
	}
	return "is never"
}

// canHold reports whether an operator can hold between a value of a field and a text.
func canHold(operator, value, text string) bool {
	switch operator {
	case "==", "!=", "in":
		return value == text
	case "contains":
		return strings.Contains(value, text)
	case "startsWith":
		return strings.HasPrefix(value, text)
	case "endsWith":
		return strings.HasSuffix(value, text)
	case "matches":
		re, err := regexp.Compile(text)
		return err != nil || re.MatchString(value) // the compiler reports the error
	}
	return true
}

// fieldOf returns the name of the field that a node reads, such as gap.reason, or ""
// for any other node.
func fieldOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.ChainNode:
		return fieldOf(n.Node)
	case *ast.IdentifierNode:
		return n.Value
	case *ast.CallNode:
		if name, of := methodOf(n); name == "String" && of == reflect.TypeFor[time.Weekday]() {
			return weekdayName
		} else if name == "String" && of == reflect.TypeFor[time.Month]() {
			return monthName
		}
	case *ast.MemberNode:
		of, isField := n.Node.(*ast.IdentifierNode)
		name, isText := n.Property.(*ast.StringNode)
		if isField && isText {
			return of.Value + "." + name.Value
		}
	}
	return ""
}

// texts yields the texts of a constant, with their nodes.
func (d *dialect) texts(n ast.Node) iter.Seq2[ast.Node, string] {
	return func(yield func(ast.Node, string) bool) {
		elements := []ast.Node{n}
		if list, ok := n.(*ast.ArrayNode); ok {
			elements = list.Nodes
		}
		for _, element := range elements {
			value, _ := d.evaluate(element)
			if text, ok := value.(string); ok && !yield(element, text) {
				return
			}
		}
	}
}

// label rejects labels.NAME if event.labels lacks the name.
func (d *dialect) label(n *ast.MemberNode) {
	d.header(n)
	if of, ok := n.Node.(*ast.IdentifierNode); !ok || of.Value != "labels" {
		return
	}
	if name, ok := n.Property.(*ast.StringNode); ok {
		d.knownLabel(name)
	}
}

// header rejects headers["NAME"] with capitals, because the names are in lower case.
func (d *dialect) header(n *ast.MemberNode) {
	of, isField := n.Node.(*ast.IdentifierNode)
	name, isText := n.Property.(*ast.StringNode)
	if isField && isText && of.Value == "headers" && strings.ToLower(name.Value) != name.Value {
		d.suspect(name, "headers has names in lower case; write headers[%q]", strings.ToLower(name.Value))
	}
}

// labelIn does the same for "NAME" in labels.
func (d *dialect) labelIn(n *ast.BinaryNode) {
	name, ok := n.Left.(*ast.StringNode)
	if ok && n.Operator == "in" && fieldOf(n.Right) == "labels" {
		d.knownLabel(name)
	}
}

func (d *dialect) knownLabel(name *ast.StringNode) {
	labels := d.compiler.vocabulary.Labels
	switch {
	case labels == nil || slices.Contains(labels, name.Value):
	case len(labels) == 0:
		d.suspect(name, "unknown label %s; event.labels is empty", name.Value)
	default:
		d.suspect(name, "unknown label %s; event.labels has %s", name.Value, strings.Join(labels, ", "))
	}
}
