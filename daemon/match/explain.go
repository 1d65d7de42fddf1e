// SPDX-License-Identifier: Apache-2.0

package match

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A mistake is an error of the expression compiler, with its position in the text.
type mistake struct {
	names        names
	text         []rune // of the expression
	at           int    // offset in text
	message      string
	line, column int // of at, from 1
}

// An explanation replaces a message of the compiler. Its function returns "" for a
// message that it cannot improve, and may move the mistake to its cause.
type explanation struct {
	message *regexp.Regexp
	explain func(m *mistake, match []string) string
}

func explanations() []explanation {
	return []explanation{
		{regexp.MustCompile(`^unknown name (\S+)$`), unknownName},
		{regexp.MustCompile(`^type match\.gap has no field (\S+)$`), unknownGapField},
		{regexp.MustCompile(`^type (.+) has no field (\S+)$`), fieldOfOther},
		{regexp.MustCompile(`^type (.+)\[.+\] is undefined$`), elementOfOther},
		{regexp.MustCompile(`^array elements can only be selected using an integer`), wrongIndex},
		{regexp.MustCompile(`^cannot use (\S+) as type (\S+) in array$`), wrongElement},
		{regexp.MustCompile(`^cannot use (\S+) as argument \(type (\S+)\) to call (\w+)`), wrongArgument},
		{regexp.MustCompile(`^invalid argument for (\w+) \(type (.+)\)$`), wrongArgumentOf},
		{regexp.MustCompile(`^invalid char escape$`), wrongEscape},
		{regexp.MustCompile(`^invalid (?:integer|float) literal: .*`), wrongNumber},
		{regexp.MustCompile(`^bad number syntax: "(.*)"$`), wrongUnit},
		{regexp.MustCompile(`^a map key must be`), bracesAreNotSupported},
		{regexp.MustCompile(`^error parsing regexp: (.*)$`), wrongPattern},
		{regexp.MustCompile(`^unexpected token EOF$`), unexpectedEnd},
		{regexp.MustCompile(`^literal not terminated$`), unclosedText},
		{regexp.MustCompile(`^unexpected token (\w+)\("(.*)"\)$`), unexpectedToken},
		{regexp.MustCompile(`^unrecognized character: U\+[0-9A-F]+ '(.*)'$`), unknownCharacter},
		{regexp.MustCompile(`^invalid operation: (\S+) \(mismatched types (.+) and (.+)\)$`), mismatchedTypes},
		{regexp.MustCompile(`^invalid operation: (not|!) \(mismatched type string\)$`), wrongNot},
		{regexp.MustCompile(`^invalid operation: (\S+) \(mismatched type (.+)\)$`), wrongOperand},
		{regexp.MustCompile(`^expected (\S+), but got (.+)$`), wrongResult},
		{regexp.MustCompile(`^the (?:method|function) (\w+) is not supported`), operatorAsFunction},
	}
}

// explain improves the compiler's message.
func (m *mistake) explain() {
	for _, e := range explanations() {
		if match := e.message.FindStringSubmatch(m.message); match != nil {
			if better := e.explain(m, match); better != "" {
				m.message = better
			}
			break
		}
	}
	m.at = min(max(m.at, 0), len(m.text))
	before := string(m.text[:m.at])
	m.line = 1 + strings.Count(before, "\n")
	m.column = 1 + len([]rune(before[strings.LastIndex(before, "\n")+1:]))
}

func unknownGapField(_ *mistake, match []string) string {
	return fmt.Sprintf("unknown field %s of gap; write gap.count or gap.reason", match[1])
}

// unexpectedEnd moves the mistake to an open bracket, or else to the end of the text.
func unexpectedEnd(m *mistake, _ []string) string {
	if open := m.openBracket(); open >= 0 {
		m.at = open
		return fmt.Sprintf("the bracket %c is not closed", m.text[open])
	}
	m.at = len([]rune(strings.TrimRight(string(m.text), " \t\r\n")))
	words := strings.Fields(string(m.text))
	if len(words) == 0 {
		return "the expression is empty"
	}
	return fmt.Sprintf("the expression ends too early; complete it after %q", words[len(words)-1])
}

// openBracket returns the offset of the last bracket that is not closed, or -1.
func (m *mistake) openBracket() int {
	var open []int
	quote := rune(0)
	for i, c := range m.text {
		switch {
		case quote != 0:
			if c == quote && m.text[i-1] != '\\' {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case strings.ContainsRune("([{", c):
			open = append(open, i)
		case strings.ContainsRune(")]}", c) && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	if len(open) == 0 {
		return -1
	}
	return open[len(open)-1]
}

// unclosedText moves the mistake to the quote that opens the text.
func unclosedText(m *mistake, _ []string) string {
	quote, at := rune(0), -1
	for i := 0; i < len(m.text); i++ {
		switch c := m.text[i]; {
		case quote == 0 && strings.ContainsRune("\"'`", c):
			quote, at = c, i
		case quote != 0 && c == '\\':
			i++
		case c == quote:
			quote = 0
		}
	}
	if quote == 0 {
		return ""
	}
	m.at = at
	return fmt.Sprintf("the quote %c is not closed", quote)
}

func unexpectedToken(m *mistake, match []string) string {
	kind, token := match[1], match[2]
	if pipe := m.find('|'); pipe >= 0 && m.at > pipe {
		m.at = pipe
		return `"|" is not supported; write or`
	}
	switch around := m.operatorAround(); {
	case operatorFor(around) != "":
		m.at = m.operatorStart()
		return fmt.Sprintf("%q is not an operator; write %s", around, operatorFor(around))
	case kind == "Identifier" && operatorFor(token) != "":
		return fmt.Sprintf("%q is not an operator; write %s", token, operatorFor(token))
	case strings.ContainsAny(token, ")]}"):
		return fmt.Sprintf("%s closes no open bracket; remove it", token)
	case token == "/":
		return "a pattern must be one text in quotes"
	case slices.Contains(operators, token) && m.at+len(token) < len(m.text) && m.text[m.at+len(token)] == '(':
		return fmt.Sprintf("%s is an operator; write TEXT %s TEXT", token, token)
	case kind == "Identifier" || kind == "String" || kind == "Number":
		return fmt.Sprintf("an operator is missing before %s; write one such as and, == or contains", visible(token))
	}
	return fmt.Sprintf("%s is not valid here", token)
}

// find returns the offset of a character outside quotes that is not doubled, or -1.
func (m *mistake) find(c rune) int {
	quote := rune(0)
	for i, t := range m.text {
		switch {
		case quote != 0:
			if t == quote {
				quote = 0
			}
		case strings.ContainsRune("\"'`", t):
			quote = t
		case t == c && (i+1 == len(m.text) || m.text[i+1] != c) && (i == 0 || m.text[i-1] != c):
			return i
		}
	}
	return -1
}

const operatorCharacters = "=<>!&|~"

func (m *mistake) operatorStart() int {
	at := min(m.at, len(m.text))
	for at > 0 && strings.ContainsRune(operatorCharacters, m.text[at-1]) {
		at--
	}
	return at
}

func (m *mistake) operatorAround() string {
	end := min(m.at, len(m.text))
	for end < len(m.text) && strings.ContainsRune(operatorCharacters, m.text[end]) {
		end++
	}
	return string(m.text[m.operatorStart():end])
}

// asciiFor contains the operators for characters that word processors insert instead.
var asciiFor = map[string]string{"–": "-", "—": "-", "−": "-", "×": "*", "≥": ">=", "≤": "<=", "≠": "!=", "…": ".."}

func unknownCharacter(m *mistake, match []string) string {
	switch c := match[1]; {
	case strings.ContainsAny(c, "“”„«»"):
		return fmt.Sprintf(`%s is not a quote here; write "`, c)
	case strings.ContainsAny(c, "‘’‚`´"):
		return fmt.Sprintf(`%s is not a quote here; write '`, c)
	case asciiFor[c] != "":
		return fmt.Sprintf("%s is not an operator; write %s", c, asciiFor[c])
	case c == "~":
		around := m.operatorAround()
		m.at = m.operatorStart()
		return fmt.Sprintf("%q is not an operator; write matches", around)
	}
	return ""
}

// typeNames are the names of Go types in our documentation.
var typeNames = map[string]string{
	"int": "a number", "float64": "a number", "string": "a text", "bool": "true or false", "time.Time": "a time",
	"time.Duration": "a duration", "match.gap": "a gap", "time.Month": "a month", "time.Weekday": "a day of the week",
	"[]string": "a list of texts", "[]int": "a list of numbers", "[]interface {}": "a list", "map[string]interface {}": "a map",
	textMap: "a map of texts",
}

func typeName(t string) string {
	if strings.HasPrefix(t, "func(") {
		return "a method without brackets"
	}
	return cmp.Or(typeNames[t], "a value of another type")
}

func mismatchedTypes(m *mistake, match []string) string {
	a, b := match[2], match[3]
	if a == textMap || b == textMap {
		return fmt.Sprintf("%s cannot compare all %s; write one of them, such as %s", match[1], m.names.set, m.names.element)
	}
	return fmt.Sprintf("cannot apply %s to %s and %s; %s", match[1], typeName(a), typeName(b), conversion(match[1], a, b))
}

func conversion(operator, a, b string) string {
	has := func(t string) bool { return a == t || b == t }
	switch {
	case strings.HasPrefix(a, "func(") || strings.HasPrefix(b, "func("):
		return "write () after the name, as in time.Hour()"
	case has("time.Weekday"):
		return `write .String() after it, and a name in quotes such as "Monday"`
	case has("time.Month"):
		return `write .String() after it, and a name in quotes such as "January"`
	case has("match.gap") && has("string"):
		return `write "gap" in quotes for the text, or gap.count or gap.reason`
	case has("match.gap"):
		return "write gap.count for the number of lost events"
	case has("time.Time") && has("string"):
		return `write date("2026-01-31") for a time`
	case has("time.Duration") && (has("string") || has("int")):
		return `write duration("1m") for a duration`
	case has("string") && (has("int") || has("float64")) && slices.Contains(operators, operator):
		return "write string(...) around the number"
	case has("string") && (has("int") || has("float64")):
		return "write the number without quotes, int(...) around the text, or string(...) around the number"
	case has("bool"):
		return "write brackets around the comparison that belongs together"
	}
	return "compare values of the same type"
}

func wrongNot(_ *mistake, match []string) string {
	return fmt.Sprintf("%s applies to the text only; write %[1]s (...) around the whole comparison", match[1])
}

func wrongResult(m *mistake, match []string) string {
	m.at = 0
	if match[1] == "string" {
		return fmt.Sprintf("the expression returns %s, but must return a text; write string(...) around it", typeName(match[2]))
	}
	example := map[string]string{
		"string": `message != ""`, "int": "seq > 0", "match.gap": "gap.count > 0", "time.Time": `time > date("2026-01-31")`,
	}[match[2]]
	return fmt.Sprintf("the expression returns %s, but must return true or false; write a comparison such as %s",
		typeName(match[2]), cmp.Or(example, `kind == "event"`))
}

func operatorAsFunction(_ *mistake, match []string) string {
	operator := operatorFor(match[1])
	if slices.Contains(operators, match[1]) {
		operator = match[1]
	}
	if !slices.Contains(operators, operator) {
		return ""
	}
	return fmt.Sprintf("%s is not a function here; write TEXT %s TEXT", match[1], operator)
}
