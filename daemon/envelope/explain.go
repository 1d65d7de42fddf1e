// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

// explainSyntax adds a column and a remedy to errors of text/template's parser, which
// have only a line.
func (f *Fault) explainSyntax(text string) {
	if f.Column > 0 || f.Line < 1 {
		return
	}
	if f.Message == "unexpected EOF" {
		at, keyword := openBlock(text)
		f.Line, f.Column = positionOf(text, at)
		f.Message = fmt.Sprintf("{{%s}} is not closed; write {{end}} where it ends", keyword)
		return
	}
	start, end := wrongAction(text)
	f.Line, f.Column = positionOf(text, start)
	action := text[start:end]
	for _, s := range syntaxFaults() {
		m := s.message.FindStringSubmatch(f.Message)
		if m == nil {
			continue
		}
		f.Message = s.explain(m)
		if s.cause == nil {
			return
		}
		if at := s.cause(m).FindStringIndex(action); at != nil {
			f.Line, f.Column = positionOf(text, start+at[0])
		}
		return
	}
	f.Message += "; compare it with {{.Host}} and {{json .Text}}"
}

// A syntaxFault explains a message of the parser. The cause matches the wrong part of
// the action; nil for the whole action.
type syntaxFault struct {
	message *regexp.Regexp
	cause   func(m []string) *regexp.Regexp
	explain func(m []string) string
}

func syntaxFaults() []syntaxFault {
	fixed := func(text string) func([]string) string { return func([]string) string { return text } }
	part := func(m []string) *regexp.Regexp { return regexp.MustCompile(regexp.QuoteMeta(m[1])) }
	name := func(m []string) *regexp.Regexp { return regexp.MustCompile(`\b` + regexp.QuoteMeta(m[1]) + `\b`) }
	of := func(pattern string) func([]string) *regexp.Regexp {
		return func([]string) *regexp.Regexp { return regexp.MustCompile(pattern) }
	}
	list := []syntaxFault{
		{regexp.MustCompile(`^function "(\w+)" not defined$`), name, func(m []string) string {
			return fmt.Sprintf("unknown function %s; %s", m[1], insteadOf(m[1]))
		}},
		{
			regexp.MustCompile(`^(?:unclosed action|bad character U\+007D|unexpected "}")`), nil,
			fixed("{{ is not closed; write }} after it"),
		},
		{regexp.MustCompile(`^undefined variable "(\$\w*)"$`), part, func(m []string) string {
			return fmt.Sprintf("unknown variable %s; define it before, as in {{%[1]s := .Text}}", m[1])
		}},
		{regexp.MustCompile(`^unexpected {{(end|else)}}`), nil, func(m []string) string {
			return fmt.Sprintf("{{%s}} belongs to no {{if}}, {{with}} or {{range}}; remove it", m[1])
		}},
		{regexp.MustCompile(`^{{(break|continue)}} outside {{range}}$`), nil, func(m []string) string {
			return fmt.Sprintf("{{%s}} is outside of {{range}}; remove it", m[1])
		}},
		{regexp.MustCompile(`^missing value for (if|with|range|else if|else with)$`), nil, func(m []string) string {
			example := map[bool]string{true: ".Labels", false: ".Gap"}[m[1] == "range"]
			return fmt.Sprintf("{{%s}} lacks a value; write one, such as {{%[1]s %s}}", m[1], example)
		}},
		{
			regexp.MustCompile(`^missing value for command$`), nil,
			fixed("{{ }} contains nothing; write a field such as {{.Text}}, or remove it"),
		},
		{regexp.MustCompile(`^unterminated (?:raw )?quoted string$`), of("[\"`]"), fixed("the quote is not closed; close it before }}")},
		{
			regexp.MustCompile(`^(?:unterminated character constant|malformed character constant: .*)$`), of("'"),
			fixed("a text in an action has double quotes; replace '"),
		},
		{
			regexp.MustCompile(`^bad number syntax: "(-\.?)[A-Za-z.]`), of(`^{{-`),
			fixed(`a space is missing before or after "-"; write {{- before and -}} after a space`),
		},
		{regexp.MustCompile(`^bad number syntax: "(.*)"$`), part, func(m []string) string {
			return fmt.Sprintf("%s is not a number; write a text in double quotes", m[1])
		}},
		{
			regexp.MustCompile(`^bad character U\+002D '-'$`), of(`\b-`),
			fixed(`a name with "-" needs index; write {{index .Labels "a-b"}} in place of {{.Labels.a-b}}`),
		},
		{regexp.MustCompile(`^(?:unexpected )?bad character U\+[0-9A-F]+ '(.*)'`), part, func(m []string) string {
			return fmt.Sprintf("%s is not valid here; remove it, or write a text in double quotes", m[1])
		}},
		{regexp.MustCompile(`^unrecognized character in action: U\+[0-9A-F]+ '(.*)'`), part, wrongCharacter},
		{regexp.MustCompile(`^unclosed left paren`), of(`\(`), fixed("the bracket ( is not closed; write ) before }}")},
		{regexp.MustCompile(`^unexpected right paren`), of(`\)`), fixed(") closes no open bracket; remove it")},
		{
			regexp.MustCompile(`^(?:unclosed comment|comment ends before closing delimiter)`), nil,
			fixed("a comment is not closed; write {{/* before and */}} after it"),
		},
		{regexp.MustCompile(`^unexpected "=" in `), of(`=`), fixed(`"=" does not compare; write {{if eq .Kind "gap"}}`)},
		{
			regexp.MustCompile(`^unexpected "[|]+" in `), of(`[|]`),
			fixed("the value before or after | is missing; write {{.Text | upper}}"),
		},
		{regexp.MustCompile(`^unexpected "(.*)" in `), part, func(m []string) string {
			return fmt.Sprintf("%q is not valid here; remove it, or write a text in double quotes", m[1])
		}},
	}
	return list
}

func wrongCharacter(m []string) string {
	switch {
	case strings.ContainsAny(m[1], "“”„«»‘’"):
		return fmt.Sprintf(`%s is not a quote here; write "`, m[1])
	case strings.Contains("=<>!&", m[1]):
		return fmt.Sprintf("%q is not an operator here; write eq, ne, lt, le, gt, ge, and, or, not before the values, "+
			`as in {{if eq .Kind "gap"}}`, m[1])
	}
	return fmt.Sprintf("%s is not valid here; remove it, or write a text in double quotes", m[1])
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

// actionPattern matches a comment, or an action with its texts in quotes.
var actionPattern = regexp.MustCompile("(?s){{(?:-\\s)?\\s*/\\*.*?\\*/|" + "{{(?:`[^`]*`|\"(?:[^\"\\\\\n]|\\\\.)*\"|.)*?}}")

// wrongAction returns the first action with which the text cannot be parsed, from {{ to
// }}.
func wrongAction(text string) (start, end int) {
	actions := actionPattern.FindAllStringIndex(text, -1)
	good, _ := slices.BinarySearchFunc(actions, false, func(action []int, _ bool) int {
		if canBegin(text[:action[1]]) {
			return -1
		}
		return 1
	})
	if good < len(actions) {
		return actions[good][0], actions[good][1]
	}
	end = 0 // of the last action that can be parsed
	if len(actions) > 0 {
		end = actions[len(actions)-1][1]
	}
	return end + max(strings.Index(text[end:], "{{"), 0), len(text)
}

// canBegin reports whether a text can be parsed, or becomes so by more text.
func canBegin(text string) bool {
	_, err := template.New("template").Funcs(functions(new(budget))).Parse(text)
	return err == nil || strings.HasSuffix(err.Error(), "unexpected EOF")
}

var blockPattern = regexp.MustCompile(`^{{(?:-\s)?\s*(if|with|range|define|block|end)\b`)

// openBlock returns the offset and the keyword of the last block without an end.
func openBlock(text string) (at int, keyword string) {
	var open [][2]int
	for _, action := range actionPattern.FindAllStringIndex(text, -1) {
		m := blockPattern.FindStringSubmatch(text[action[0]:action[1]])
		switch {
		case m == nil:
		case m[1] != "end":
			open = append(open, [2]int{action[0], action[1]})
		case len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	if len(open) == 0 {
		return len(text), "if"
	}
	last := open[len(open)-1]
	return last[0], blockPattern.FindStringSubmatch(text[last[0]:last[1]])[1]
}

// typeWords are the names of Go types in our documentation.
var typeWords = map[string]string{
	"envelope.Text": "a text", "string": "a text", "int": "a number", "int64": "a number", "uint64": "a number", "float64": "a number",
	"bool": "true or false", "*envelope.View": "the event", "*envelope.Gap": "a gap", "*envelope.Suppressed": "a summary",
	"*envelope.Instant": "a time", "*envelope.Attributes": "the attributes", "*envelope.Attribute": "an attribute",
	"map[string]string": "a map of labels", "map[string]envelope.Text": "a map of captures",
}

func typeWord(t string) string { return cmp.Or(typeWords[t], "a value of another type") }

var argumentsPattern = regexp.MustCompile(`(?:error calling \w+: )?wrong number of args for (\w+): \w+ (at least )?(\d+) got (\d+)$`)

// plain replaces the words of Go in a message of text/template.
func plain(message string) string {
	for _, p := range plainWords {
		if m := p.message.FindStringSubmatchIndex(message); m != nil {
			groups := make([]string, 0, len(m)/2)
			for i := 0; i < len(m); i += 2 {
				groups = append(groups, message[max(m[i], 0):max(m[i+1], 0)])
			}
			return message[:m[0]] + p.words(groups) + message[m[1]:]
		}
	}
	return message
}

var plainWords = []struct {
	message *regexp.Regexp
	words   func(m []string) string
}{
	{regexp.MustCompile(`can't evaluate field (\w+) in type (\S+)$`), func(m []string) string {
		if m[2] == "*envelope.Attributes" {
			return fmt.Sprintf("an attribute is selected by its whole path; write $.Attributes.%s", m[1])
		}
		text := fmt.Sprintf("%s does not have the field %s", typeWord(m[2]), m[1])
		if _, ok := reflect.TypeFor[*View]().MethodByName(m[1]); ok {
			text += "; write $." + m[1] + " for the field of the event"
		}
		return text
	}},
	{argumentsPattern, func(m []string) string {
		plural := map[bool]string{true: "", false: "s"}[m[3] == "1"]
		return fmt.Sprintf("%s requires %s%s argument%s, and has %s", m[1], m[2], m[3], plural, m[4])
	}},
	{regexp.MustCompile(`error calling index: value has type \S+; should be string$`), func([]string) string {
		return `index needs a name in quotes; write {{index .Labels "site"}}`
	}},
	{regexp.MustCompile(`error calling (?:index|slice): (?:reflect: string )?index out of range(?:: \d+)?$`), func([]string) string {
		return `the text is too short; shorten a text by {{printf "%.100s" .Text}}, which accepts short texts`
	}},
	{regexp.MustCompile(`error calling len: len of (?:type (\S+)|nil pointer)$`), func(m []string) string {
		return cmp.Or(typeWords[m[1]], "an absent value") + " does not have a length; write {{len .Text}}"
	}},
	{regexp.MustCompile(`error calling slice: can't slice item of type (\S+)$`), func(m []string) string {
		return typeWord(m[1]) + ` cannot be cut; shorten a text by {{printf "%.100s" .Text}}`
	}},
	{regexp.MustCompile(`error calling (\w+): incompatible types for comparison: (\S+) and (\S+)$`), func(m []string) string {
		if typeWord(m[2]) == typeWord(m[3]) {
			return fmt.Sprintf("%s cannot compare a whole number and a fraction; write a whole number", m[1])
		}
		return fmt.Sprintf("%s cannot compare %s and %s; write numbers without quotes and texts in double quotes",
			m[1], typeWord(m[2]), typeWord(m[3]))
	}},
	{regexp.MustCompile(`error calling (\w+): (?:invalid type for comparison|non-comparable type .*)$`), func(m []string) string {
		return m[1] + " cannot compare these values; compare texts or numbers, such as {{.Time.Unix}}"
	}},
	{regexp.MustCompile(`wrong type for value; expected (\S+); got (\S+)$`), func(m []string) string {
		if m[1] == "string" {
			return `the value must be a text in quotes, such as the format in {{printf "%s" .Text}}`
		}
		return fmt.Sprintf("the value must be %s, but is %s", typeWord(m[1]), typeWord(m[2]))
	}},
	{regexp.MustCompile(`expected (string|integer|float|bool); found (.*)$`), func(m []string) string {
		want := map[string]string{"string": "a text in double quotes", "bool": "true or false"}
		return fmt.Sprintf("the value must be %s, but is %s", cmp.Or(want[m[1]], "a number"), m[2])
	}},
	{regexp.MustCompile(`nil is not a command$`), func([]string) string { return "nil cannot be written; remove it" }},
}
