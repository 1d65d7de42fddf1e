// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"fmt"
	"slices"
	"text/template/parse"
)

// The names of the functions that instrumented templates call. No template can define
// them; one that calls turnName spends its own budget.
const (
	turnName = "genltestd_turn"
	markName = "genltestd_mark"
)

// callOf is a node that calls a function with a number. The function must return an
// empty text.
func callOf(name string, n int) parse.Node {
	text := fmt.Sprintf("{{%s %d}}", name, n)
	trees, err := parse.Parse("", text, "", "", map[string]any{name: fmt.Sprint})
	if err != nil {
		panic(fmt.Sprintf("envelope: a template of its own: %v", err))
	}
	return trees[""].Root.Nodes[0]
}

// boundLoops has each turn of a loop spend the budget.
func boundLoops(t *parse.Tree) {
	walk(t.Root, func(list *parse.ListNode, _ parse.Node) {
		for _, n := range list.Nodes {
			if loop, ok := n.(*parse.RangeNode); ok {
				call := callOf(turnName, len(loop.List.String()))
				loop.List.Nodes = slices.Insert(loop.List.Nodes, 0, call)
			}
		}
	})
}

// walk calls f for each list of nodes, those within it first, with the node that it
// belongs to: nil for the whole template.
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

// branchOf returns the lists of an if, with or range.
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
