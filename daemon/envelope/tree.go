// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// maxRanges is the maximum depth of nested ranges.
const maxRanges = 2

// checkTree rejects templates that may not end or may take too long: text/template can
// range over all numbers up to any limit, and templates can call themselves. The
// remaining ranges are over labels and captures, which are few. It also rejects unknown
// fields where it can detect them.
func checkTree(t *template.Template) error {
	if len(t.Templates()) > 1 {
		return errors.New("define and block are not supported; write the text in its place")
	}
	if t.Tree == nil || parse.IsEmptyTree(t.Root) {
		return errors.New("the template writes nothing")
	}
	c := treeChecker{tree: t.Tree}
	c.list(t.Root, true)
	return c.err
}

// checkNames rejects unknown labels and captures where it can detect them.
func checkNames(t *parse.Tree, names *Context) error {
	c := treeChecker{tree: t, names: names}
	c.list(t.Root, true)
	return c.err
}

// A treeChecker walks a template. It records the first fault.
type treeChecker struct {
	tree   *parse.Tree
	names  *Context // nil if the names are not known
	ranges int      // around the current node
	err    error
}

func (c *treeChecker) fail(n parse.Node, format string, args ...any) {
	if c.err == nil {
		location, _ := c.tree.ErrorContext(n)
		c.err = fmt.Errorf("%s: %s", location, fmt.Sprintf(format, args...))
	}
}

// list walks a list of nodes. The argument isView is true if the dot is a View.
func (c *treeChecker) list(l *parse.ListNode, isView bool) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		c.node(n, isView)
	}
}

func (c *treeChecker) node(n parse.Node, isView bool) {
	switch n := n.(type) {
	case *parse.ActionNode:
		c.pipe(n.Pipe, isView)
	case *parse.IfNode:
		c.branch(&n.BranchNode, isView, isView)
	case *parse.WithNode:
		c.branch(&n.BranchNode, isView, false)
	case *parse.RangeNode:
		c.rangeOver(n, isView)
	case *parse.TemplateNode:
		c.fail(n, "template is not supported; write the text in its place")
	}
}

func (c *treeChecker) branch(n *parse.BranchNode, isView, within bool) {
	c.pipe(n.Pipe, isView)
	c.list(n.List, within)
	c.list(n.ElseList, isView)
}

func (c *treeChecker) rangeOver(n *parse.RangeNode, isView bool) {
	c.ranges++
	defer func() { c.ranges-- }()
	if c.ranges > maxRanges {
		c.fail(n, "more than %d nested ranges", maxRanges)
	}
	if !isSmallMap(n.Pipe, isView) {
		c.fail(n.Pipe, "range accepts only .Labels and .Captures, or $.Labels and $.Captures within with and range")
	}
	c.branch(&n.BranchNode, isView, false)
}

func isSmallMap(p *parse.PipeNode, isView bool) bool {
	if len(p.Cmds) != 1 || len(p.Cmds[0].Args) != 1 {
		return false
	}
	switch p.Cmds[0].Args[0].String() {
	case ".Labels", ".Captures":
		return isView
	case "$.Labels", "$.Captures":
		return true
	}
	return false
}

func (c *treeChecker) pipe(p *parse.PipeNode, isView bool) {
	if p == nil {
		return
	}
	for _, variable := range p.Decl {
		if variable.Ident[0] == "$" {
			c.fail(p, "$ is the event; choose another name for the variable")
		}
	}
	for _, command := range p.Cmds {
		for _, arg := range command.Args {
			c.arg(arg, isView)
		}
	}
}

func (c *treeChecker) arg(n parse.Node, isView bool) {
	switch n := n.(type) {
	case *parse.PipeNode:
		c.attribute(n)
		c.pipe(n, isView)
	case *parse.ChainNode:
		c.arg(n.Node, isView)
	case *parse.FieldNode:
		if isView {
			c.fields(n, n.Ident)
		}
	case *parse.VariableNode:
		if n.Ident[0] == "$" {
			c.fields(n, n.Ident[1:])
		}
	}
}

// attribute checks the path of a call of the function attribute.
func (c *treeChecker) attribute(n *parse.PipeNode) {
	path, ok := pathOfCall(n)
	if !ok || c.names == nil {
		return
	}
	if c.names.UnknownAttribute == nil {
		c.fail(n, "no event has attributes; add a family other than genltest to families")
	} else if fault := c.names.UnknownAttribute(strings.Split(path, ".")); fault != "" {
		c.fail(n, "%s", fault)
	}
}

// fields checks the names that follow a View.
func (c *treeChecker) fields(n parse.Node, names []string) {
	t := reflect.TypeFor[*View]()
	if len(names) > 1 && names[0] == attributesField {
		return // expandAttributes replaces the other names
	}
	for i, name := range names {
		if t.Kind() == reflect.Map {
			c.name(n, names[i-1], name)
			return
		}
		method, ok := t.MethodByName(name)
		if !ok || method.Type.NumOut() == 0 {
			c.fail(n, "unknown field %s%s", name, fieldList(t))
			return
		}
		t = method.Type.Out(0)
	}
}

// name checks the name of a label or a capture.
func (c *treeChecker) name(n parse.Node, field, name string) {
	if c.names == nil {
		return
	}
	if fault := c.names.unknownName(field, name); fault != "" {
		c.fail(n, "%s", fault)
	}
}

// unknownName returns why a label or capture does not exist, or "" if it does.
func (c *Context) unknownName(field, name string) string {
	switch field {
	case "Labels":
		var names []string
		for _, l := range c.Labels {
			names = append(names, l.Name)
		}
		return describeUnknown("label", name, "event.labels", names, "add labels: {"+name+": VALUE} below event:")
	case "Captures":
		return describeUnknown("capture", name, "extract", c.Captures, "add extract to the sink, with a group (?P<"+name+">...)")
	}
	return ""
}

func describeUnknown(what, name, key string, names []string, remedy string) string {
	switch {
	case slices.Contains(names, name):
		return ""
	case len(names) == 0:
		return fmt.Sprintf("unknown %s %s; %s", what, name, remedy)
	}
	return fmt.Sprintf("unknown %s %s; %s has %s", what, name, key, strings.Join(names, ", "))
}

// fieldList lists the fields of one of our types.
func fieldList(t reflect.Type) string {
	if t.Kind() != reflect.Pointer || t == reflect.TypeFor[*Instant]() {
		return ""
	}
	var names []string
	for i := range t.NumMethod() {
		if name := t.Method(i).Name; name != "String" {
			names = append(names, name)
		}
	}
	return "; the fields are " + strings.Join(names, ", ")
}
