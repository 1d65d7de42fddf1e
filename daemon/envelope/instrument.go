// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"fmt"
	"slices"
	"text/template"
	"text/template/parse"

	"github.com/genltestd/genltestd/daemon/event"
)

// The names of the functions that instrumented templates call. A template cannot define
// them. A template that calls iterateName spends its own budget.
const (
	iterateName = "genltestd_iterate"
	markName    = "genltestd_mark"
)

// callOf returns a node that calls a function with a number. The function must return
// an empty text.
func callOf(name string, n int) parse.Node {
	text := fmt.Sprintf("{{%s %d}}", name, n)
	trees, err := parse.Parse("", text, "", "", map[string]any{name: fmt.Sprint})
	if err != nil {
		panic(fmt.Sprintf("envelope: parse an internal template: %v", err))
	}
	return trees[""].Root.Nodes[0]
}

// boundLoops makes each loop iteration spend the budget.
func boundLoops(t *parse.Tree) {
	walk(t.Root, func(list *parse.ListNode, _ parse.Node) {
		for _, n := range list.Nodes {
			if loop, ok := n.(*parse.RangeNode); ok {
				call := callOf(iterateName, len(loop.List.String()))
				loop.List.Nodes = slices.Insert(loop.List.Nodes, 0, call)
			}
		}
	})
}

// walk calls f for each list of nodes, inner lists first, with the node that contains
// the list: nil for the whole template.
func walk(list *parse.ListNode, f func(list *parse.ListNode, of parse.Node)) { walkIn(list, nil, f) }

func walkIn(list *parse.ListNode, of parse.Node, f func(list *parse.ListNode, of parse.Node)) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		if branch := branchOf(n); branch != nil {
			walkIn(branch.List, n, f)
			walkIn(branch.ElseList, n, f)
		}
	}
	f(list, of)
}

// branchOf returns the branches of an if, with or range, and nil for any other node.
func branchOf(n parse.Node) *parse.BranchNode {
	switch n := n.(type) {
	case *parse.IfNode:
		return &n.BranchNode
	case *parse.WithNode:
		return &n.BranchNode
	case *parse.RangeNode:
		return &n.BranchNode
	}
	return nil
}

// replaceName is the function that NewName appends to each action. A template cannot call it.
const replaceName = "genltestd_replace"

// use makes the template write a name. Simple actions, which are steps, need no function.
func (t *textTemplate) use(n Name) {
	t.name = n
	t.isShared = t.parts != nil && !slices.ContainsFunc(t.parts, func(p part) bool { return p.varies })
	if n.Replace == nil {
		return
	}
	functions := template.FuncMap{replaceName: func(value any) string { return string(t.replace([]byte(fmt.Sprint(value)))) }}
	t.template.Funcs(functions)
	for _, p := range t.parts {
		if p.template != nil {
			p.template.Funcs(functions)
		}
	}
	walk(t.template.Root, func(list *parse.ListNode, _ parse.Node) {
		for _, n := range list.Nodes {
			if action, ok := n.(*parse.ActionNode); ok && writes(action) {
				action.Pipe.Cmds = append(action.Pipe.Cmds, replaceCall())
			}
		}
	})
}

// writes reports whether an action writes a value of its author.
func writes(action *parse.ActionNode) bool {
	function, ok := action.Pipe.Cmds[0].Args[0].(*parse.IdentifierNode)
	return len(action.Pipe.Decl) == 0 && (!ok || function.Ident != iterateName)
}

// replaceCall returns the command of a pipeline that calls the function.
func replaceCall() *parse.CommandNode {
	trees, err := parse.Parse("", "{{"+replaceName+"}}", "", "", map[string]any{replaceName: fmt.Sprint})
	if err != nil {
		panic("envelope: parse an internal template: " + err.Error())
	}
	return trees[""].Root.Nodes[0].(*parse.ActionNode).Pipe.Cmds[0]
}

// A source has the fields of an event that successive events usually have in common.
type source struct {
	host, family, group string
	origin              *event.Origin
}

// isOfSource reports whether a field is part of a source.
func isOfSource(field string) bool {
	return slices.Contains([]string{"Host", "Family", "Group", "Labels"}, field)
}

// isRepeated reports whether out already has the name for an event. It notes the event's source.
func (t *textTemplate) isRepeated(e *event.Event) bool {
	if !t.isShared {
		return false
	}
	before := t.source
	t.source = source{e.Host, e.Family, e.Group, e.Origin}
	return t.isNamed && t.source == before
}
