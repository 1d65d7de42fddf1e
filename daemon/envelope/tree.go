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

// maxRanges is how many ranges may be one within another.
const maxRanges = 2

// checkTree refuses what would let a template run for ever, or longer than anybody
// waits: text/template can range over the numbers to any number, and templates can
// call themselves. What is left ranges over labels and captures, which are few. It
// also refuses fields that there are not, where it can tell.
func checkTree(t *template.Template) error {
	if len(t.Templates()) > 1 {
		return errors.New("define and block are not supported; write the text where it is wanted")
	}
	if t.Tree == nil || parse.IsEmptyTree(t.Root) {
		return errors.New("it writes nothing")
	}
	c := treeChecker{tree: t.Tree}
	c.list(t.Root, true)
	return c.err
}

// checkNames refuses labels and captures that there are not, where it can tell.
func checkNames(t *parse.Tree, names *Context) error {
	c := treeChecker{tree: t, names: names}
	c.list(t.Root, true)
	return c.err
}

// A treeChecker walks a template. Its error is the first fault's.
type treeChecker struct {
	tree   *parse.Tree
	names  *Context // nil for names that are not known
	ranges int      // around the current node
	err    error
}

func (c *treeChecker) fail(n parse.Node, format string, args ...any) {
	if c.err == nil {
		location, _ := c.tree.ErrorContext(n)
		c.err = fmt.Errorf("%s: %s", location, fmt.Sprintf(format, args...))
	}
}

// list walks a list of nodes. isView says that the dot is a View there.
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
		c.fail(n, "template is not supported; write the text where it is wanted")
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
		c.fail(n, "more than %d ranges, one within another", maxRanges)
	}
	if !isFew(n.Pipe, isView) {
		c.fail(n.Pipe, "range is for .Labels and .Captures only, $.Labels and $.Captures within with and range")
	}
	c.branch(&n.BranchNode, isView, false)
}

func isFew(p *parse.PipeNode, isView bool) bool {
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
			c.fail(p, "$ is the event; give the variable a name")
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

// fields follows the names behind a View.
func (c *treeChecker) fields(n parse.Node, names []string) {
	t := reflect.TypeFor[*View]()
	for i, name := range names {
		if t.Kind() == reflect.Map {
			c.name(n, names[i-1], name)
			return
		}
		method, ok := t.MethodByName(name)
		if !ok || method.Type.NumOut() == 0 {
			c.fail(n, "there is no field %s%s", name, among(t))
			return
		}
		t = method.Type.Out(0)
	}
}

// name checks the name of a label or capture.
func (c *treeChecker) name(n parse.Node, field, name string) {
	if c.names == nil {
		return
	}
	if fault := c.names.missing(field, name); fault != "" {
		c.fail(n, "%s", fault)
	}
}

// missing says why there is no such label or capture; it is empty when there is.
func (c *Context) missing(field, name string) string {
	switch field {
	case "Labels":
		var names []string
		for _, l := range c.Labels {
			names = append(names, l.Name)
		}
		return unknown("label", name, "event.labels", names, "add labels: {"+name+": VALUE} below event:")
	case "Captures":
		return unknown("capture", name, "extract", c.Captures, "add extract to the sink, with a group (?P<"+name+">...)")
	}
	return ""
}

func unknown(what, name, key string, names []string, remedy string) string {
	switch {
	case slices.Contains(names, name):
		return ""
	case len(names) == 0:
		return fmt.Sprintf("there is no %s %s; %s", what, name, remedy)
	}
	return fmt.Sprintf("there is no %s %s; %s has %s", what, name, key, strings.Join(names, ", "))
}

// among lists the fields of a type of ours.
func among(t reflect.Type) string {
	if t.Kind() != reflect.Pointer || t == reflect.TypeFor[*Instant]() {
		return ""
	}
	var names []string
	for i := range t.NumMethod() {
		if name := t.Method(i).Name; name != "String" {
			names = append(names, name)
		}
	}
	return "; the fields here are " + strings.Join(names, ", ")
}
