// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/genltestd/genltestd/config/strict/diagnose"
)

// A wrong shape is a list, a single value or a group of keys in place of another of these.

// notKeys reports a value that should be a group of keys.
func (d *decoder) notKeys(n *yaml.Node, t reflect.Type, path string) {
	at := positionOf(n)
	if advice, column := d.joinedKey(n, t); advice != "" {
		at.column += column
		d.fail(at, path, "%s", advice)
		return
	}
	d.fail(at, path, "is %s, but must have keys; %s", shape(n), keysAdvice(n, t, path))
}

var joinedKeyText = regexp.MustCompile(`^([a-z0-9_]+)( *= *|:|：|$)`)

// joinedKey is for a key without the colon and space that make it one.
func (d *decoder) joinedKey(n *yaml.Node, t reflect.Type) (advice string, column int) {
	m := joinedKeyText.FindStringSubmatch(n.Value)
	if n.Kind != yaml.ScalarNode || n.Style != 0 || m == nil || !d.hasKey(t, m[1]) {
		return "", 0
	}
	if before, _ := d.lineAround(positionOf(n)); keyBefore.MatchString(before) && m[2] != "" {
		return "", 0 // a key cannot follow another one on its line
	}
	switch strings.TrimSpace(m[2]) {
	case ":":
		return fmt.Sprintf(`a space is missing after "%s:"; write "%[1]s: "`, m[1]), len(m[1])
	case "：":
		return `"：" is not a colon; write ": "`, len(m[1])
	case "=":
		return fmt.Sprintf(`"=" does not separate a key from its value; write "%s: "`, m[1]), len(m[1])
	}
	if unionOf(t) >= 0 {
		return "", 0
	}
	return fmt.Sprintf(`a colon is missing after %q; write "%[2]s:"`, m[1], m[1]), len(m[1])
}

// publicValue matches texts that an error may repeat even in place of a secret.
var publicValue = regexp.MustCompile(`^(/[A-Za-z0-9_./-]+|(unix|unixgram|unixstream|tcp|udp|tls)://[A-Za-z0-9_./:-]+|[0-9]{1,9})$`)

// keysAdvice explains how to write the value at a path as keys.
func keysAdvice(n *yaml.Node, t reflect.Type, path string) string {
	const lines = `write lines of "key: value" below it`
	name := lastKey(path)
	main, isList := mainKey(t)
	if keys := IsMapping(t) && t.Kind() == reflect.Struct; keys && main == "" && t.NumField() == 1 {
		main = keysOf(Fields(t, nil))[0]
	}
	guide, guided := implements[Guide](t)
	switch {
	case t.Kind() != reflect.Struct && n.Kind == yaml.SequenceNode:
		return `write lines of "key: value" without "- "`
	case t.Kind() != reflect.Struct:
		return lines
	case t.NumField() == 0:
		return fmt.Sprintf("write %s: {}", name)
	case guided:
		return guide.ShapeAdvice(n.Kind == yaml.SequenceNode)
	case isPairs(t):
		return "write {name: ..., value: ...}"
	case n.Kind == yaml.SequenceNode && isList:
		return fmt.Sprintf("write the list as the value of %q: %s: {%[1]s: [...]}", main, name)
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode:
		return `remove the "- " before each key`
	case n.Kind != yaml.ScalarNode:
		return lines
	case main == "":
		return lines + ", with keys such as " + exampleKeys(t)
	}
	value := "..."
	if publicValue.MatchString(n.Value) {
		value = n.Value
	}
	if isList {
		value = "[" + value + "]"
	}
	if value == n.Value && strings.Contains(value, ":") {
		value = `"` + value + `"`
	}
	if path == "" { // of the whole file
		return fmt.Sprintf("write %s: %s", main, value)
	}
	return fmt.Sprintf("write %s: {%s: %s}", name, main, value)
}

// exampleKeys returns the first keys of a mapping.
func exampleKeys(t reflect.Type) string {
	const most = 3
	keys := keysOf(Fields(t, nil))
	return strings.Join(keys[:min(len(keys), most)], ", ")
}

// mainKey returns the key that a value without a key most likely belongs to.
func mainKey(t reflect.Type) (key string, isList bool) {
	if t.Kind() != reflect.Struct {
		return "", false
	}
	for _, f := range Fields(t, nil) {
		if f.Tag.Get("required") == "true" || f.Tag.Get("main") == "true" {
			return f.Key, f.Type.Kind() == reflect.Slice
		}
	}
	return "", false
}

// notList reports a value that should be a list.
func (d *decoder) notList(n *yaml.Node, t reflect.Type, path string) {
	at := positionOf(n)
	if n.Kind == yaml.ScalarNode && n.Style == 0 && strings.HasPrefix(n.Value, "-") {
		at.column++
		d.fail(at, path, `a space is missing after "-"; write "- "`)
		return
	}
	d.fail(at, path, "is %s, but must be a list; %s", shape(n), d.listAdvice(n, t.Elem(), lastKey(path)))
}

func (d *decoder) listAdvice(n *yaml.Node, entry reflect.Type, name string) string {
	switch {
	case n.Kind == yaml.MappingNode && isPairs(entry) && !d.isEntry(n, entry):
		return `write each line as "- {name: ..., value: ...}"`
	case n.Kind == yaml.MappingNode && entry.Kind() != reflect.Struct:
		return fmt.Sprintf("write %s: [FIRST, SECOND], without keys", name)
	case n.Kind == yaml.MappingNode && !d.isEntry(n, entry):
		return `write each entry as "- name: ..." with its keys below`
	case n.Kind == yaml.MappingNode:
		return `write "- " before the first key, and indent the other keys like it`
	case entry.Kind() == reflect.Struct && !isSensitive(entry):
		return `begin each entry with "- "`
	case n.Kind == yaml.ScalarNode && !isSensitive(entry) && publicValue.MatchString(n.Value):
		return fmt.Sprintf("write %s: [%s]", name, n.Value)
	}
	return fmt.Sprintf("write %s: [FIRST, SECOND], with quotes around an entry that has spaces", name)
}

func isPairs(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && slices.Equal(keysOf(Fields(t, nil)), []string{"name", "value"})
}

// isEntry reports whether the first key of n is a key of an entry.
func (d *decoder) isEntry(n *yaml.Node, entry reflect.Type) bool {
	return len(n.Content) > 0 && d.hasKey(entry, n.Content[0].Value)
}

// notSingle reports a list or keys in place of a single value.
func (d *decoder) notSingle(n *yaml.Node, t reflect.Type, path string) {
	text, key := d.valueAt(n), lastKey(path)
	switch {
	case n.Style&yaml.FlowStyle == 0:
		d.fail(positionOf(n), path, "is %s, but must be a single value; write it after the colon", describe(n))
	case text != "" && d.isPublic():
		d.fail(positionOf(n), path, "an unquoted value cannot begin with %q; write %s: %s", text[:1], key, diagnose.SingleQuoted(text))
	case t.Kind() == reflect.String && isFreeText(t, d.tag) || isSensitive(t):
		d.fail(positionOf(n), path, "is %s, but must be a single value; write it without brackets, or put the whole value into single quotes",
			describe(n))
	default:
		d.fail(positionOf(n), path, "is %s, but must be a single value; write it without brackets", describe(n))
	}
}

// valueAt returns the rest of the line from a value on, if the value follows a key at the
// beginning of the line; otherwise the value may be shorter than the rest.
func (d *decoder) valueAt(n *yaml.Node) string {
	before, rest := d.lineAround(positionOf(n))
	if !keyBefore.MatchString(before) {
		return ""
	}
	if i := strings.Index(rest, " #"); i >= 0 {
		rest = rest[:i]
	}
	return strings.TrimRight(rest, " \t\r")
}

var keyBefore = regexp.MustCompile(`^[ \t]*(- +)*[A-Za-z0-9_]+: +$`)

// maxLine limits the length of a line, in bytes, for advice that needs its text: a file of
// one long line would cost the product of its length and the number of its values.
const maxLine = 4096

// lineAround returns the line before and from a position on. Both are empty for a line that
// is too long.
func (d *decoder) lineAround(at position) (before, rest string) {
	if at.line < 1 || at.line > len(d.lines) || len(d.lines[at.line-1]) > maxLine {
		return "", ""
	}
	line := []rune(d.lines[at.line-1])
	column := min(max(at.column-1, 0), len(line))
	return string(line[:column]), string(line[column:])
}

// noValue reports a key without a value.
func (d *decoder) noValue(n *yaml.Node, t reflect.Type, path string) {
	at := d.keyPosition(path, n)
	_, rest := d.lineAround(at)
	_, rest, _ = strings.Cut(rest, ":")
	key := lastKey(path)
	switch value := strings.Trim(rest, " \t\r"); {
	case n.Anchor != "":
		_, after := d.lineAround(positionOf(n))
		d.fail(positionOf(n), path, "an unquoted value cannot begin with &; %s", d.quoteAdvice(key, strings.TrimRight(after, " \t\r")))
	case strings.HasPrefix(value, "#") && kindOfValue(t) != diagnose.Parts:
		column := strings.Index(rest, "#")
		line, _ := d.lineAround(position{at.line, 1 << 20})
		d.fail(position{at.line, len([]rune(line)) - len([]rune(rest)) + len([]rune(rest[:column])) + 1},
			path,
			"has no value, because # begins a comment; %s", d.quoteAdvice(key, value))
	default:
		d.fail(at, path, "has no value; %s", d.valueAdvice(t, path))
	}
}

// valueAdvice explains how to complete a key or an entry of a list without a value.
func (d *decoder) valueAdvice(t reflect.Type, path string) string {
	main, _ := mainKey(t)
	switch {
	case path == "":
		return `write lines of "key: value"`
	case strings.HasSuffix(path, "]"):
		return `write one after the "-", or remove the "-"`
	case t.Kind() == reflect.Struct && main != "":
		return fmt.Sprintf("write its keys below it, indented by 2 more spaces, at least %q", main)
	case d.tag.Get("required") == "true" && t.Kind() == reflect.Slice:
		return fmt.Sprintf("give it a list, such as [%s]", d.tag.Get("example"))
	case d.tag.Get("required") == "true":
		return fmt.Sprintf("give it one, such as %q", d.tag.Get("example"))
	}
	return "give it one, or leave it out"
}

// isPublic reports whether an error may repeat the value that is being read.
func (d *decoder) isPublic() bool { return d.tag.Get("public") == "true" }

// quoteAdvice repeats the value only of a public key.
func (d *decoder) quoteAdvice(key, value string) string {
	if d.isPublic() && value != "" {
		return fmt.Sprintf("write %s: %s", key, diagnose.SingleQuoted(Shorten(value)))
	}
	return "put the whole value into single quotes"
}

// reserved reports a value that begins with an exclamation mark.
func (d *decoder) reserved(n *yaml.Node, path string) {
	value, key := d.valueAt(n), lastKey(path)
	if d.isPublic() && value != "" && !strings.HasPrefix(value, "!!") {
		d.fail(positionOf(n), path, "an unquoted value cannot begin with !; %s", d.quoteAdvice(key, value))
		return
	}
	d.fail(positionOf(n), path,
		"the word that begins with ! is not supported; remove it, or put the whole value into single quotes if it belongs to a text")
}

// emptyBlock reports a > or | that no text follows.
func (d *decoder) emptyBlock(n *yaml.Node, path string) {
	d.fail(positionOf(n), path, "> and | begin a text of several lines, but no text follows; %s", d.quoteAdvice(lastKey(path), d.valueAt(n)))
}

func isEmptyBlock(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && strings.TrimSpace(n.Value) == ""
}
