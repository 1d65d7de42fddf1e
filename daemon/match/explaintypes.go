// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// fieldOfOther explains a field of a value without fields, such as that of the body of a
// response, which is a text.
func fieldOfOther(m *mistake, match []string) string {
	if match[1] != "string" || !slices.Contains(m.names.known, "json") {
		return fmt.Sprintf("%s does not have the field %s; remove .%[2]s", typeName(match[1]), match[2])
	}
	return fmt.Sprintf("unknown field %s of a text; write json.%[1]s for a field of the body", match[2])
}

func elementOfOther(_ *mistake, match []string) string {
	if match[1] == "string" {
		return "a part of a text has a beginning and an end; write message[0:1] for the first character"
	}
	return fmt.Sprintf("%s does not have elements; remove the brackets [ and ]", typeName(match[1]))
}

func wrongIndex(*mistake, []string) string {
	return "an element of a list has a number; write [0] for the first"
}

func wrongElement(_ *mistake, match []string) string {
	if match[1] == "time.Weekday" || match[1] == "time.Month" {
		return fmt.Sprintf("the value before in is %s; write .String() after it, and names in quotes into the list", typeName(match[1]))
	}
	return fmt.Sprintf("the value before in is %s, and the list contains %s; write values of one type",
		typeName(match[1]), typeName(match[2]))
}

func wrongArgument(_ *mistake, match []string) string {
	return fmt.Sprintf("%s requires %s, and not %s", match[3], typeName(match[2]), typeName(match[1]))
}

func wrongArgumentOf(_ *mistake, match []string) string {
	return fmt.Sprintf("%s does not accept %s; write a field of another type", match[1], typeName(match[2]))
}

func wrongOperand(_ *mistake, match []string) string {
	return fmt.Sprintf("cannot apply %s to %s; write a number after it", match[1], typeName(match[2]))
}

// wrongEscape moves the mistake to the backslash.
func wrongEscape(m *mistake, _ []string) string {
	for i := min(m.at, len(m.text)-1); i > 0; i-- {
		if m.text[i-1] == '\\' {
			m.at = i - 1
			return fmt.Sprintf("the escape \\%c is not valid; write the text between backquotes, or write the backslash twice", m.text[i])
		}
	}
	return ""
}

func wrongNumber(*mistake, []string) string {
	return "the number is too large; write at most 9223372036854775807"
}

var durationPattern = regexp.MustCompile(`^[0-9.]+(ns|us|ms|s|m|h)$`)

func wrongUnit(_ *mistake, match []string) string {
	if durationPattern.MatchString(match[1]) {
		return fmt.Sprintf("%s is not a number; write duration(%q) for a duration", match[1], match[1])
	}
	return fmt.Sprintf("%s is not a number; write digits only, or a text in quotes", match[1])
}

func bracesAreNotSupported(m *mistake, _ []string) string {
	m.at = max(m.find('{'), 0)
	return "{ is not supported; write values between [ and ]"
}

var groupReference = regexp.MustCompile("`\\\\[1-9]`")

// wrongPattern names the parts of other regular expressions that RE2 does not have.
func wrongPattern(_ *mistake, match []string) string {
	contains := func(part string) bool { return strings.Contains(match[1], part) }
	remedy := `write \ before a literal character, within backquotes`
	switch {
	case slices.ContainsFunc([]string{"(?<", "(?=", "(?!", "(?P="}, contains):
		remedy = "look-around is not supported; write several comparisons with and, not"
	case groupReference.MatchString(match[1]):
		remedy = "references to groups are not supported; write the text of the group again"
	case contains("repeat count"):
		remedy = "repeat at most 1000 times"
	}
	return fmt.Sprintf("the pattern is invalid: %s; %s", match[1], remedy)
}
