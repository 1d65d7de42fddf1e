// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"encoding/json"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// A step appends the output of one node of a template.
type step func(dst []byte, e *event.Event) []byte

// A part is one top-level node of a template. Texts and simple actions are steps, which
// avoid the reflection of text/template. Other nodes are templates of their own.
type part struct {
	text     []byte
	step     step               // nil if the part is a text
	template *template.Template // nil if the part is a text or a step
	shapes   []string           // possible outputs of the step, see isStatic; nil if unknown
	varies   bool               // the output is not the same for all events of one source
}

// Shapes of JSON values, and of text that is safe in a string.
func stringShapes() []string { return []string{`"s"`} }
func timeShapes() []string   { return []string{`"s"`, "null"} }
func valueShapes() []string  { return []string{`"s"`, "null"} } // any value can be where both can
func numberShapes() []string { return []string{"1", "0"} }
func safeShapes() []string   { return []string{"s", ""} }

// partsOf returns nil for a template whose nodes share variables.
func partsOf(t *template.Template) (parts []part) {
	for _, n := range t.Root.Nodes {
		if action, ok := n.(*parse.ActionNode); ok && len(action.Pipe.Decl) > 0 {
			return nil
		}
		p := partOf(n)
		if p.text == nil && p.step == nil {
			p.varies = true
			tree := t.Copy()
			tree.Root.Nodes = []parse.Node{n}
			one, err := t.Clone()
			if err == nil {
				p.template, err = one.AddParseTree(t.Name(), tree)
			}
			if err != nil {
				return nil
			}
		}
		parts = append(parts, p)
	}
	return parts
}

// partOf returns an empty part for a node that needs text/template.
func partOf(n parse.Node) part {
	switch n := n.(type) {
	case *parse.TextNode:
		return part{text: n.Text}
	case *parse.ActionNode:
		field, isJSON := simple(n.Pipe)
		if field == nil {
			return part{}
		}
		plain, asJSON := fieldSteps(field.Ident)
		varies := !isOfSource(field.Ident[0])
		if isJSON {
			return part{step: asJSON, shapes: jsonShapes(field.Ident[0]), varies: varies}
		}
		return part{step: plain, shapes: plainShapes(field.Ident[0]), varies: varies}
	}
	return part{}
}

func jsonShapes(field string) []string {
	switch field {
	case "Time", "KernelTime":
		return timeShapes()
	case "Seq", "KernelSeq":
		return numberShapes()
	case attributesField:
		return valueShapes()
	}
	return stringShapes()
}

func plainShapes(field string) []string {
	switch field {
	case "Seq", "KernelSeq":
		return numberShapes()
	case "ID", "Kind", "Time", "KernelTime":
		return safeShapes()
	}
	return nil
}

// simple recognizes {{.Field}}, {{json .Field}} and {{.Field | json}}.
func simple(p *parse.PipeNode) (field *parse.FieldNode, isJSON bool) {
	var args []parse.Node
	for _, c := range p.Cmds {
		args = append(args, c.Args...)
	}
	if len(args) == 2 && len(p.Cmds) == 2 {
		args[0], args[1] = args[1], args[0]
	}
	if len(args) == 2 {
		if name, ok := args[0].(*parse.IdentifierNode); !ok || name.Ident != "json" {
			return nil, false
		}
		isJSON, args = true, args[1:]
	}
	if len(args) != 1 {
		return nil, false
	}
	field, _ = args[0].(*parse.FieldNode)
	return field, isJSON
}

// fieldSteps returns the steps that write a field as text and as JSON, or nil for other
// fields.
func fieldSteps(names []string) (plain, asJSON step) {
	if names[0] == attributesField && len(names) > 1 {
		return attributeSteps(names[1:])
	}
	if len(names) == 2 {
		return partSteps(names[0], names[1])
	}
	if len(names) != 1 {
		return nil, nil
	}
	switch names[0] {
	case "ID":
		return textSteps((*event.Event).ID)
	case "Kind":
		return textSteps((*event.Event).Kind)
	case "Family":
		return textSteps(func(e *event.Event) string { return e.Family })
	case "Group":
		return textSteps(func(e *event.Event) string { return e.Group })
	case "Command":
		return untrustedSteps(func(e *event.Event) string {
			if e.Content == nil {
				return ""
			}
			return e.Content.Command
		})
	case "Host":
		return untrustedSteps(func(e *event.Event) string { return e.Host })
	case "Seq":
		return numberSteps(func(e *event.Event) uint64 { return e.Seq })
	case "KernelSeq":
		return numberSteps(func(e *event.Event) uint64 { return e.KernelSeq })
	case "Message":
		return untrustedSteps(func(e *event.Event) []byte { return e.Message })
	case "Text":
		return untrustedSteps(func(e *event.Event) []byte {
			if e.HasSafeText() {
				return e.AppendText(nil)
			}
			return e.Message
		})
	case "Time":
		return timeSteps(func(e *event.Event) time.Time { return e.Time })
	case "KernelTime":
		return timeSteps(func(e *event.Event) time.Time { return e.KernelTime })
	}
	return nil, nil
}

func partSteps(field, name string) (plain, asJSON step) {
	switch field {
	case "Labels":
		return textSteps(func(e *event.Event) string {
			if e.Origin != nil {
				for _, l := range e.Origin.Labels {
					if l.Name == name {
						return l.Value
					}
				}
			}
			return ""
		})
	case "Captures":
		return untrustedSteps(func(e *event.Event) []byte {
			for _, c := range e.Captures {
				if c.Name == name {
					return c.Value
				}
			}
			return nil
		})
	}
	return nil, nil
}

func textSteps(of func(*event.Event) string) (plain, asJSON step) {
	plain = func(dst []byte, e *event.Event) []byte { return append(dst, of(e)...) }
	return plain, func(dst []byte, e *event.Event) []byte { return appendQuoted(dst, of(e)) }
}

func untrustedSteps[T string | []byte](of func(*event.Event) T) (plain, asJSON step) {
	plain = func(dst []byte, e *event.Event) []byte { return event.AppendVisible(dst, of(e)) }
	return plain, func(dst []byte, e *event.Event) []byte { return appendQuoted(dst, of(e)) }
}

func numberSteps(of func(*event.Event) uint64) (plain, asJSON step) {
	plain = func(dst []byte, e *event.Event) []byte { return strconv.AppendUint(dst, of(e), 10) }
	return plain, plain
}

func timeSteps(of func(*event.Event) time.Time) (plain, asJSON step) {
	plain = func(dst []byte, e *event.Event) []byte {
		if t := of(e); !t.IsZero() {
			return event.AppendTime(dst, t)
		}
		return dst
	}
	return plain, func(dst []byte, e *event.Event) []byte {
		if of(e).IsZero() {
			return append(dst, "null"...)
		}
		return append(plain(append(dst, '"'), e), '"')
	}
}

// isStatic reports whether a template writes valid JSON for any event: its parts are
// texts and values of known shapes, and the result is valid with each shape. The result
// for an event then need not be checked.
func isStatic(parts []part) bool {
	if len(parts) == 0 {
		return false
	}
	for variant := range 2 {
		var document strings.Builder
		for i := range parts {
			switch p := &parts[i]; {
			case p.text != nil:
				document.Write(p.text)
			case p.step == nil || p.shapes == nil:
				return false
			default:
				document.WriteString(p.shapes[min(variant, len(p.shapes)-1)])
			}
		}
		if !json.Valid([]byte(document.String())) {
			return false
		}
	}
	return true
}

// compactTexts removes the white space between values from the texts of a static
// template, and escapes characters that control a terminal.
func compactTexts(parts []part) {
	inString := false
	for i := range parts {
		if parts[i].text != nil {
			var text []byte
			text, inString = compactText(parts[i].text, inString)
			parts[i].text = event.AppendVisibleJSON([]byte{}, text)
		}
	}
}

// compactText also returns whether the end of the text is in a string.
func compactText(text []byte, inString bool) (compact []byte, _ bool) {
	escaped := false
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case !inString && strings.IndexByte(" \t\r\n", c) >= 0:
			continue
		}
		compact = append(compact, c)
	}
	return compact, inString
}
