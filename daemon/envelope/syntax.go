// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// explainSyntax adds a column and a remedy to errors of text/template's parser, which
// have only a line.
func (f *Fault) explainSyntax(text string) {
	lines := strings.Split(text, "\n")
	if f.Column > 0 || f.Line < 1 || f.Line > len(lines) {
		return
	}
	offset := len(strings.Join(lines[:f.Line-1], "\n")) + min(f.Line-1, 1)
	line := lines[f.Line-1]
	switch m := unknownFunction.FindStringSubmatch(f.Message); {
	case m != nil:
		at := regexp.MustCompile(`\b` + regexp.QuoteMeta(m[1]) + `\b`).FindStringIndex(line)
		if at == nil {
			return
		}
		f.Line, f.Column = positionOf(text, offset+at[0])
		f.Message = fmt.Sprintf("unknown function %s; %s", m[1], insteadOf(m[1]))
	case isUnclosed(f.Message):
		at := strings.LastIndex(text[:offset+len(line)], "{{")
		if at < 0 {
			return
		}
		f.Line, f.Column = positionOf(text, at)
		f.Message = "{{ is not closed; write }} after it"
	case f.Message == "unexpected EOF":
		f.Line, f.Column = positionOf(text, len(text))
		f.Message = "{{end}} is missing; write one for each {{if}}, {{with}} and {{range}}"
	}
}

var unknownFunction = regexp.MustCompile(`^function "(\w+)" not defined$`)

func isUnclosed(message string) bool {
	return strings.HasPrefix(message, "unclosed action") || strings.HasPrefix(message, "bad character U+007D")
}

// insteadOf suggests the field with this name, or lists the functions.
func insteadOf(name string) string {
	for field := range reflect.TypeFor[*View]().Methods() {
		if strings.EqualFold(field.Name, name) {
			return "write ." + field.Name + " for the field"
		}
	}
	var names []string
	for name := range functions(new(budget)) {
		names = append(names, name)
	}
	slices.Sort(names)
	return "the functions are " + strings.Join(names, ", ")
}
