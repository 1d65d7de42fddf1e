// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"
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

	passed bool // whether a sample of an ordinary event was written
}

// A mark records that a node started to write at an offset.
type mark struct{ node, offset int }

// newProbe returns a probe for a template.
func newProbe(of *textTemplate, accept func([]byte) error) *probe {
	t, err := newTemplate(of.text, of.contentType)
	if err != nil {
		panic("envelope: newTemplate rejects a text that it accepted before")
	}
	if accept == nil {
		accept = of.name.Accept
	}
	t.use(of.name)
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

// maxProbed limits the work for parts of a template that no sample reaches.
const maxProbed = 1 << 20

// tryUnreached forces the conditions of parts that no sample has reached, such as a
// part for one host.
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
		p.tryForced(list, fieldsOf(before.String()), samples)
	}
	p.tryUnreached(list, samples)
}

// tryForced records a fault of a list whose condition is forced. A list that fails for
// every sample fails whenever its condition is true. The same holds for a failure with
// one sample, if the condition depends on other fields than the failure.
func (p *probe) tryForced(list *parse.ListNode, condition fields, samples []sample) {
	var first, certain *Fault
	succeeded, ordinarySucceeded := false, false
	for i := range samples {
		delete(p.reached, list)
		err := p.writeOwn(&samples[i], list)
		switch ordinary := samples[i].isOrdinary(); {
		case !p.reached[list]:
		case err == nil:
			succeeded = true
			ordinarySucceeded = ordinarySucceeded || ordinary
		default:
			fault := p.explained(err) // while the marks are those of this sample
			first = cmp.Or(first, fault)
			if certain == nil && condition.isIndependentOf(fieldsOf(p.expressionOf(err))) {
				certain = fault
			}
		}
	}
	if condition.allowsEvents() && !ordinarySucceeded || !succeeded {
		certain = first
	}
	if certain != nil {
		p.faults = append(p.faults, certain)
	}
}

// writeOwn executes the template for a sample. It returns an error of the template, and
// invalid JSON only if the list itself writes it.
func (p *probe) writeOwn(s *sample, list *parse.ListNode) error {
	accept := p.accept
	p.accept = nil
	defer func() { p.accept = accept }()
	err := p.write(s)
	var invalid *jsonError
	if errors.As(err, &invalid) && !p.wrote(list, invalid.offset) {
		return nil
	}
	return err
}

// wrote reports whether a node below a list wrote the byte at an offset of the result.
func (p *probe) wrote(list *parse.ListNode, offset int) bool {
	i := p.markBefore(offset)
	return i >= 0 && p.isBelow(list, p.marks[i])
}

func (p *probe) isBelow(list *parse.ListNode, m mark) (found bool) {
	walk(list, func(below *parse.ListNode, _ parse.Node) { found = found || p.lists[m.node] == below })
	return found
}

// fields are the fields of the event that an expression uses.
type fields struct {
	names   []string
	unclear bool // it uses variables or the dot
}

var (
	fieldPattern   = regexp.MustCompile(`\$?\.[A-Z]\w*`)
	unclearPattern = regexp.MustCompile(`\$\w|(?:^|[\s(<])\.(?:$|[\s)>])`)
)

func fieldsOf(expression string) (f fields) {
	for _, name := range fieldPattern.FindAllString(expression, -1) {
		f.names = append(f.names, strings.TrimLeft(name, "$."))
	}
	f.unclear = unclearPattern.MatchString(expression)
	return f
}

// hasOnly reports whether every field is one of names.
func (f fields) hasOnly(names ...string) bool {
	return !f.unclear && !slices.ContainsFunc(f.names, func(name string) bool { return !slices.Contains(names, name) })
}

// allowsEvents reports whether a condition can be true for an event that is neither a gap
// nor a summary.
func (f fields) allowsEvents() bool {
	for _, name := range []string{"Gap", "Suppressed", "Kind", "Text"} {
		if slices.Contains(f.names, name) {
			return false
		}
	}
	return !f.unclear
}

// isIndependentOf reports whether a condition can be true with each value of other
// fields: it uses only fields that every kind of event has, and not the others.
func (f fields) isIndependentOf(others fields) bool {
	return f.hasOnly("Seq", "ID", "Host", "Family", "Group", "Time", "Labels", "MachineID", "BootID", "KernelRelease") &&
		!others.unclear && !slices.ContainsFunc(others.names, func(name string) bool { return slices.Contains(f.names, name) })
}

var failedPattern = regexp.MustCompile(`<(.*)>: `)

// expressionOf returns the part of the template that failed.
func (p *probe) expressionOf(err error) string {
	if invalid, ok := errors.AsType[*jsonError](err); ok {
		if n := p.writer(invalid.offset); n != nil {
			return n.String()
		}
	}
	if m := failedPattern.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return "."
}

// constant returns a pipeline that is "true" or "false".
func constant(value string) *parse.PipeNode {
	trees, err := parse.Parse("", "{{if "+value+"}}x{{end}}", "", "")
	if err != nil {
		panic("envelope: parse an internal template: " + err.Error())
	}
	return trees[""].Root.Nodes[0].(*parse.IfNode).Pipe
}
