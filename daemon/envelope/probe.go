// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"slices"
	"text/template"
	"text/template/parse"
)

// A probe is a template that records which nodes it executes.
type probe struct {
	*textTemplate
	accept func([]byte) error
	faults []error
	known  map[[2]int]bool // positions of faults

	nodes   []parse.Node // by mark number
	reached map[*parse.ListNode]bool
	lists   []*parse.ListNode // the list that contains each node
	marks   []mark            // of the last sample, in order
	steps   int               // of all samples
}

// A mark records that a node started to write at an offset.
type mark struct{ node, offset int }

// newProbe returns a probe for a text that newTemplate has accepted.
func newProbe(text, contentType string, accept func([]byte) error) *probe {
	t, err := newTemplate(text, contentType)
	if err != nil {
		panic("envelope: newTemplate rejects a text that it accepted before")
	}
	t.budget.strict = true
	t.parts, t.isStatic = nil, false // only the whole template has the marks
	p := &probe{textTemplate: t, accept: accept, known: make(map[[2]int]bool), reached: make(map[*parse.ListNode]bool)}
	walk(t.template.Root, func(list *parse.ListNode, _ parse.Node) { p.mark(list) })
	t.template.Funcs(template.FuncMap{markName: p.at})
	return p
}

// mark inserts a call of at before each node of a list.
func (p *probe) mark(list *parse.ListNode) {
	var marked []parse.Node
	for _, n := range list.Nodes {
		marked = append(marked, callOf(markName, len(p.nodes)), n)
		p.nodes, p.lists = append(p.nodes, n), append(p.lists, list)
	}
	list.Nodes = marked
}

func (p *probe) at(node int) string {
	p.marks = append(p.marks, mark{node, p.out.Len()})
	p.reached[p.lists[node]] = true
	p.steps++
	return ""
}

// write returns why a sample cannot be written, or nil.
func (p *probe) write(s *sample) error {
	p.marks = p.marks[:0]
	// An older event may lack labels that are configured now. All other events have all
	// names.
	option := "missingkey=error"
	if s.older {
		option = "missingkey=zero"
	}
	p.template.Option(option)
	if err := p.execute(&s.event); err != nil {
		return err
	}
	result := p.out.Bytes()
	if p.isJSON {
		compact, err := appendCompact(nil, result)
		if err != nil {
			return err
		}
		result = compact
	}
	if p.accept != nil {
		return p.accept(result)
	}
	return nil
}

// source returns the offset in the template of the node that wrote the byte at an
// offset of the result.
func (p *probe) source(offset int) int {
	for _, m := range slices.Backward(p.marks) {
		if m.offset > offset {
			continue
		}
		n := p.nodes[m.node]
		at := int(n.Position())
		if text, ok := n.(*parse.TextNode); ok {
			at += min(offset-m.offset, len(text.Text))
		}
		return at
	}
	return 0
}

// maxProbed limits the work for parts of a template that no sample reaches.
const maxProbed = 1 << 20

// tryUnreached forces the conditions of parts that no sample has reached, such as a
// part for one host. A part that fails for every sample also fails whenever its
// condition is true.
func (p *probe) tryUnreached(list *parse.ListNode, samples []sample) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		branch := branchOf(n)
		if branch == nil {
			continue
		}
		p.tryBranch(n, branch.List, "true", branch, samples)
		p.tryBranch(n, branch.ElseList, "false", branch, samples)
	}
}

func (p *probe) tryBranch(n parse.Node, list *parse.ListNode, condition string, branch *parse.BranchNode, samples []sample) {
	if list == nil || len(p.faults) > 0 || p.steps > maxProbed {
		return
	}
	if _, ok := n.(*parse.IfNode); ok && !p.reached[list] {
		before := branch.Pipe
		branch.Pipe = constant(condition)
		defer func() { branch.Pipe = before }()
		p.tryForced(list, samples)
	}
	p.tryUnreached(list, samples)
}

// tryForced records a fault if the list fails for each sample that reaches it.
func (p *probe) tryForced(list *parse.ListNode, samples []sample) {
	var first error
	for i := range samples {
		delete(p.reached, list)
		err := p.execute(&samples[i].event)
		if !p.reached[list] {
			continue
		}
		if err == nil {
			return
		}
		if first == nil {
			first = err
		}
	}
	if first != nil {
		f := p.locate(first)
		f.Message += p.remedy(first)
		p.faults = append(p.faults, f)
	}
}

// constant returns a pipeline that is "true" or "false".
func constant(value string) *parse.PipeNode {
	trees, err := parse.Parse("", "{{if "+value+"}}x{{end}}", "", "")
	if err != nil {
		panic("envelope: parse an internal template: " + err.Error())
	}
	return trees[""].Root.Nodes[0].(*parse.IfNode).Pipe
}
