// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"regexp"
	"strings"
	"text/template/parse"
)

// expandAttributes replaces .Attributes.header.dev_name, whose names are not those of
// methods, by calls of the function attribute.
func expandAttributes(t *parse.Tree, text string) {
	x := expander{t.Name, strings.ReplaceAll(text, "{{", "..")}
	eachPipe(t, x.pipe)
}

// eachPipe calls f for each pipeline of a template that is not within another.
func eachPipe(t *parse.Tree, f func(p *parse.PipeNode)) {
	walk(t.Root, func(list *parse.ListNode, _ parse.Node) {
		for _, n := range list.Nodes {
			if action, ok := n.(*parse.ActionNode); ok {
				f(action.Pipe)
			} else if branch := branchOf(n); branch != nil {
				f(branch.Pipe)
			}
		}
	})
}

// An expander replaces paths of attributes. Its text has the lines of the template and no
// actions: the nodes of a call belong to a tree of their own, and errors read their
// positions there.
type expander struct{ name, text string }

func (x *expander) pipe(p *parse.PipeNode) {
	for i, c := range p.Cmds {
		function := attributeName
		if len(c.Args) > 1 && isJSONFunction(c) || len(c.Args) == 1 && i+1 < len(p.Cmds) && isJSONFunction(p.Cmds[i+1]) {
			function = attributeValueName
		}
		for j, arg := range c.Args {
			if inner, ok := arg.(*parse.PipeNode); ok {
				x.pipe(inner)
			} else if base, path := attributePath(arg); path != "" {
				c.Args[j] = x.call(function, base, path, arg.Position())
			}
		}
	}
}

func isJSONFunction(c *parse.CommandNode) bool {
	name, ok := c.Args[0].(*parse.IdentifierNode)
	return ok && name.Ident == "json"
}

// attributePath splits .Attributes.header.dev_name into .Attributes and the path; empty for
// another node.
func attributePath(n parse.Node) (base, path string) {
	switch n := n.(type) {
	case *parse.FieldNode:
		if n.Ident[0] == attributesField {
			return "." + attributesField, strings.Join(n.Ident[1:], ".")
		}
	case *parse.VariableNode:
		if len(n.Ident) > 2 && n.Ident[0] == "$" && n.Ident[1] == attributesField {
			return "$." + attributesField, strings.Join(n.Ident[2:], ".")
		}
	}
	return "", ""
}

// call returns (function base "path"), at a position of the template.
func (x *expander) call(function, base, path string, at parse.Pos) parse.Node {
	text := x.text[:at] + "{{(" + function + " " + base + ` "` + path + `")}}`
	trees, err := parse.Parse(x.name, text, "", "", map[string]any{function: attributeValue})
	if err != nil {
		panic("envelope: parse an internal template: " + err.Error())
	}
	nodes := trees[x.name].Root.Nodes
	pipe := nodes[len(nodes)-1].(*parse.ActionNode).Pipe.Cmds[0].Args[0].(*parse.PipeNode)
	pipe.Pos = at
	return pipe
}

// pathOfCall returns the path in a call of the function attribute, or of that for JSON.
func pathOfCall(n *parse.PipeNode) (path string, ok bool) {
	if len(n.Cmds) != 1 || len(n.Cmds[0].Args) != 3 {
		return "", false
	}
	args := n.Cmds[0].Args
	function, isName := args[0].(*parse.IdentifierNode)
	text, isText := args[2].(*parse.StringNode)
	if !isName || !isText || function.Ident != attributeName && function.Ident != attributeValueName {
		return "", false
	}
	return text.Text, true
}

// attributePaths returns the paths of all attributes in a template.
func attributePaths(t *parse.Tree) (paths []string) {
	var pipe func(p *parse.PipeNode)
	pipe = func(p *parse.PipeNode) {
		if path, ok := pathOfCall(p); ok {
			paths = append(paths, path)
		}
		for _, c := range p.Cmds {
			for _, arg := range c.Args {
				if inner, ok := arg.(*parse.PipeNode); ok {
					pipe(inner)
				}
			}
		}
	}
	eachPipe(t, pipe)
	return paths
}

var attributeCallPattern = regexp.MustCompile(`\(?\b(?:attribute|attributeValue) (\$?\.Attributes) "([\w.]+)"\)?`)

// written returns a part of the template as its author can write it.
func written(p *parse.PipeNode) string {
	return attributeCallPattern.ReplaceAllString(p.String(), "$1.$2")
}
