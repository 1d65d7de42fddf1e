// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"fmt"
	"slices"
	"strings"
	"text/template/parse"
)

// markBefore returns the index of the mark of the node that wrote the byte at an offset
// of the result, or -1.
func (p *probe) markBefore(offset int) int {
	for i, m := range slices.Backward(p.marks) {
		if m.offset <= offset {
			return i
		}
	}
	return -1
}

// writer returns the node that wrote the byte at an offset of the result, or nil.
func (p *probe) writer(offset int) parse.Node {
	if i := p.markBefore(offset); i >= 0 {
		return p.nodes[p.marks[i].node]
	}
	return nil
}

// source returns the offset in the template of the byte at an offset of the result.
func (p *probe) source(offset int) int {
	i := p.markBefore(offset)
	if i < 0 {
		return 0
	}
	n := p.nodes[p.marks[i].node]
	at := int(n.Position())
	if text, ok := n.(*parse.TextNode); ok {
		at += min(offset-p.marks[i].offset, len(text.Text))
	}
	return at
}

// explainJSON moves a fault to the part of the template that breaks the JSON, and adds
// the remedy.
func (p *probe) explainJSON(f *Fault, invalid *jsonError) {
	result := p.out.Bytes()
	at, remedy := p.source(invalid.offset), ""
	i := p.markBefore(invalid.offset)
	_, isText := p.writer(invalid.offset).(*parse.TextNode)
	switch silent, text := p.silentBefore(i, invalid.offset), p.textBefore(i); {
	case isText && silent != nil:
		at, remedy = int(silent.Position()), insteadOfNothing(silent)
	case p.passed && isText && text != nil:
		// The template itself writes JSON: a text of the event ends a string too early.
		at, remedy = int(text.Position()), asJSON(text)
	case isText:
		var opener int
		if opener, remedy = jsonRemedy(result, invalid.offset); opener >= 0 {
			at = p.source(opener)
		}
	default:
		remedy = asJSON(p.writer(invalid.offset))
	}
	f.Line, f.Column = positionOf(p.text, at)
	f.Message += "; " + remedy
}

// silentBefore returns the node before a mark if it wrote nothing directly before the
// offset, or nil.
func (p *probe) silentBefore(i, offset int) parse.Node {
	if i < 1 || p.marks[i].offset != offset || p.marks[i-1].offset != offset {
		return nil
	}
	n := p.nodes[p.marks[i-1].node]
	if branch := branchOf(n); branch != nil && (p.isBelow(branch.List, p.marks[i]) || p.isBelow(branch.ElseList, p.marks[i])) {
		return nil // the node contains the writer of the offset
	}
	switch n := n.(type) {
	case *parse.TextNode, *parse.CommentNode:
		return nil
	case *parse.ActionNode:
		if len(n.Pipe.Decl) > 0 {
			return nil
		}
	}
	return n
}

// textBefore returns the last action that wrote something before a mark, or nil.
func (p *probe) textBefore(i int) parse.Node {
	for ; i > 0; i-- {
		if n, ok := p.nodes[p.marks[i-1].node].(*parse.ActionNode); ok && p.marks[i].offset > p.marks[i-1].offset {
			return n
		}
	}
	return nil
}

func insteadOfNothing(n parse.Node) string {
	if action, ok := n.(*parse.ActionNode); ok {
		return "this part is empty; " + asJSON(action)
	}
	return "this part is empty; add {{else}} with another value, or move the comma into it"
}

// asJSON returns the remedy for a part that is not JSON.
func asJSON(n parse.Node) string {
	action, ok := n.(*parse.ActionNode)
	switch {
	case !ok || len(action.Pipe.Decl) > 0 || strings.Contains(action.Pipe.String(), "json"):
		return "write texts as {{json .Text}}, without quotes around it"
	case len(action.Pipe.Cmds) == 1 && len(action.Pipe.Cmds[0].Args) == 1:
		return fmt.Sprintf("write {{json %s}}, without quotes around it", written(action.Pipe))
	}
	return fmt.Sprintf("write {{%s | json}}, without quotes around it", written(action.Pipe))
}

// jsonRemedy returns the remedy for a fault in the template's own JSON, and the offset of
// an opening bracket or quote that is not closed, or -1.
func jsonRemedy(result []byte, offset int) (opener int, remedy string) {
	if offset >= len(result) {
		opener = unclosed(result)
		if opener < 0 {
			return -1, "write one JSON value, such as {{json .}}"
		}
		c := result[opener]
		closer := map[byte]string{'{': "}", '[': "]", '"': `"`}[c]
		return opener, fmt.Sprintf("%c is not closed; write %s", c, closer)
	}
	before := strings.TrimRight(string(result[:offset]), " \t\r\n")
	switch c := result[offset]; {
	case strings.HasSuffix(before, ",") && (c == '}' || c == ']'):
		return -1, fmt.Sprintf("remove the comma before %c", c)
	case c == '\'':
		return -1, "write double quotes in place of single quotes"
	case strings.HasSuffix(before, `\`):
		return -1, `write \\ for a backslash`
	case c >= '0' && c <= '9':
		return -1, "write numbers without leading zeros, and texts in double quotes"
	case strings.HasSuffix(before, "}") || strings.HasSuffix(before, "]"), strings.HasSuffix(before, `"`):
		return -1, "write one JSON value, with a comma between its parts"
	}
	return -1, "write keys and texts in double quotes, and true, false and null in lower case"
}

// unclosed returns the offset of the last opening bracket or quote that is not closed, or
// -1.
func unclosed(text []byte) int {
	var open []int
	inString := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			if inString = !inString; inString {
				open = append(open, i)
			} else {
				open = open[:len(open)-1]
			}
		case !inString && (c == '{' || c == '['):
			open = append(open, i)
		case !inString && (c == '}' || c == ']') && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	if len(open) == 0 {
		return -1
	}
	return open[len(open)-1]
}
