// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/genltestd/genltestd/daemon/ynl"
	"github.com/genltestd/genltestd/internal/similar"
)

// attributesName is the name of the attributes of an event in an expression.
const attributesName = "attributes"

// An attributePath leads to an attribute, or to an object that contains attributes.
type attributePath []string

func (p attributePath) String() string {
	text := attributesName
	for _, name := range p {
		if _, err := strconv.Atoi(name); err == nil {
			text += "[" + name + "]"
		} else {
			text += "." + name
		}
	}
	return text
}

// attributeObjects are the parts of an expression that lead to objects: the expression
// must select an attribute in each.
type attributeObjects struct {
	paths map[ast.Node]attributePath // of all parts that lead to attributes
	open  []ast.Node                 // objects of which no attribute is selected yet
}

func (o *attributeObjects) add(n ast.Node, path attributePath, isOpen bool) {
	if o.paths == nil {
		o.paths = make(map[ast.Node]attributePath)
	}
	o.paths[n] = path
	if isOpen {
		o.open = append(o.open, n)
	}
}

func (o *attributeObjects) close(n ast.Node) {
	o.open = slices.DeleteFunc(o.open, func(open ast.Node) bool { return open == n })
}

// attributeRoot records the name of all attributes.
func (d *dialect) attributeRoot(n *ast.IdentifierNode) {
	if n.Value != attributesName || !slices.Contains(d.names.known, attributesName) {
		return
	}
	if d.compiler.vocabulary.Attributes == nil {
		d.suspect(n, "no event has attributes; add a family other than genltest to families")
		return
	}
	d.objects.add(n, nil, true)
}

// attribute replaces a path of names by an element of a list. Unknown names are then
// faults, the compiler knows the type, and no event needs a map.
func (d *dialect) attribute(node *ast.Node, n *ast.MemberNode) {
	path, ok := d.objects.paths[n.Node]
	if !ok {
		return
	}
	d.objects.close(n.Node)
	name, ok := elementName(n.Property)
	if !ok {
		d.reject(n.Property, "write the name of an attribute, such as %s.header, or the number of an entry, such as [0]", attributesName)
		return
	}
	path = append(path[:len(path):len(path)], name)
	field, ok := d.compiler.vocabulary.Attributes(path)
	switch {
	case !ok:
		d.unknownAttribute(n.Property, path)
	case field.Type == ynl.ObjectType:
		d.objects.add(n, path, true)
	default:
		d.replace(node, d.attributes.add(path, field.Type))
		d.objects.add(*node, path, false)
	}
}

// elementName returns the name of an attribute or the number of an entry.
func elementName(property ast.Node) (name string, ok bool) {
	switch p := property.(type) {
	case *ast.StringNode:
		return ynl.PathName(p.Value), true
	case *ast.IntegerNode:
		return strconv.Itoa(p.Value), p.Value >= 0
	}
	return "", false
}

// presence replaces "NAME" in an object by an element of the list of attributes that an
// event has.
func (d *dialect) presence(node *ast.Node, n *ast.BinaryNode) {
	name, ok := n.Left.(*ast.StringNode)
	if n.Operator != "in" || !ok || !slices.Contains(d.objects.open, n.Right) {
		return
	}
	path := d.objects.paths[n.Right]
	d.objects.close(n.Right)
	path = append(path[:len(path):len(path)], ynl.PathName(name.Value))
	if _, ok := d.compiler.vocabulary.Attributes(path); !ok {
		d.unknownAttribute(n.Left, path)
		return
	}
	d.replace(node, d.attributes.addPresence(path))
}

// replace replaces a node by an element of a list of the environment.
func (d *dialect) replace(node *ast.Node, e element) {
	list := &ast.IdentifierNode{Value: e.list}
	list.SetLocation((*node).Location())
	d.used[e.list] = true
	ast.Patch(node, &ast.MemberNode{Node: list, Property: &ast.IntegerNode{Value: e.index}})
	(*node).SetType(e.of)
}

// unknownAttribute records the fault of a path whose last name is not known.
func (d *dialect) unknownAttribute(n ast.Node, path attributePath) {
	d.suspect(n, "%s", d.compiler.vocabulary.unknownAttribute(path))
}

func (v *Vocabulary) unknownAttribute(path attributePath) string {
	name, of := path[len(path)-1], path[:len(path)-1]
	field, _ := v.Attributes(of)
	if field.Type != ynl.ObjectType {
		return fmt.Sprintf("%s does not have the attribute %s; remove it", of, visible(name))
	}
	return fmt.Sprintf("unknown attribute %s of %s; %s", visible(name), of, attributeAdvice(name, field.Names))
}

// UnknownAttribute returns a function that returns why no event has the attribute at a path, or
// "" if events can contain the attribute. It returns nil if no event has attributes.
func (c *Compiler) UnknownAttribute() func(path []string) string {
	v := &c.vocabulary
	if v.Attributes == nil {
		return nil
	}
	return func(path []string) string {
		for i := range path {
			if _, ok := v.Attributes(path[:i+1]); !ok {
				return v.unknownAttribute(path[:i+1])
			}
		}
		return ""
	}
}

func attributeAdvice(name string, known []string) string {
	if best := similar.Closest(name, known); best != "" {
		return "write " + best
	}
	var longer []string // for a name with dashes, of which the language reads only the first word
	for _, k := range known {
		if strings.HasPrefix(k, name+"_") {
			longer = append(longer, k)
		}
	}
	switch {
	case len(known) == 0:
		return `the specification does not contain attributes; write the number in quotes, such as ["1"]`
	case len(longer) > 0:
		return "write " + similar.List(longer) + ", with underscores in place of dashes"
	}
	return "write one of " + similar.List(known)
}

// openObjects records the faults of objects that are used as values.
func (d *dialect) openObjects() {
	for _, n := range d.objects.open {
		path := d.objects.paths[n]
		field, _ := d.compiler.vocabulary.Attributes(path)
		if len(field.Names) == 0 {
			d.suspect(n, `%s is an object; write one of its attributes, such as %[1]s["1"]`, path)
		} else {
			d.suspect(n, "%s is an object; write one of its attributes: %s", path, similar.List(field.Names))
		}
	}
}

// An element is an element of a list of Attributes.
type element struct {
	list  string
	index int
	of    reflect.Type
}
