// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/genltestd/genltestd/config/diagnose"
)

// A wrong shape is a list, a single value or a group of keys in place of another.

// notKeys reports a value that should be a group of keys.
func (d *decoder) notKeys(n *yaml.Node, t reflect.Type, path string) {
	at := spotOf(n)
	if advice, column := joinedKey(n, t); advice != "" {
		at.column += column
		d.fail(at, path, "%s", advice)
		return
	}
	d.fail(at, path, "is %s, but must have keys; %s", shape(n), keysAdvice(n, t, lastKey(path)))
}

var joinedKeyText = regexp.MustCompile(`^([a-z0-9_]+)( *= *|:|：|$)`)

// joinedKey is for a key without the colon and space that make it one.
func joinedKey(n *yaml.Node, t reflect.Type) (advice string, column int) {
	m := joinedKeyText.FindStringSubmatch(n.Value)
	if n.Kind != yaml.ScalarNode || n.Style != 0 || m == nil || t.Kind() != reflect.Struct || !slices.Contains(keysOf(t), m[1]) {
		return "", 0
	}
	switch strings.TrimSpace(m[2]) {
	case ":":
		return fmt.Sprintf(`a space is missing after "%s:"; write "%[1]s: "`, m[1]), len(m[1])
	case "：":
		return `"：" is not a colon; write ": "`, len(m[1])
	case "=":
		return fmt.Sprintf(`"=" does not separate a key from its value; write "%s: "`, m[1]), len(m[1])
	}
	if t == reflect.TypeFor[Sink]() {
		return "", 0
	}
	return fmt.Sprintf(`a colon is missing after %q; write "%[2]s:"`, m[1], m[1]), len(m[1])
}

// publicValue matches what an error may repeat although a secret may stand there.
var publicValue = regexp.MustCompile(`^(/[A-Za-z0-9_./-]+|(unix|unixgram|unixstream|tcp|udp|tls)://[A-Za-z0-9_./:-]+|[0-9]{1,9})$`)

// keysAdvice says how to write a value as keys. Name is the key that has the value.
func keysAdvice(n *yaml.Node, t reflect.Type, name string) string {
	const lines = `write lines of "key: value" below it`
	main, isList := mainKey(t)
	switch {
	case t.Kind() != reflect.Struct && n.Kind == yaml.SequenceNode:
		return `write lines of "key: value" without "- "`
	case t.Kind() != reflect.Struct:
		return lines
	case t.NumField() == 0:
		return fmt.Sprintf("write %s: {}", name)
	case t == reflect.TypeFor[Sink]():
		return "a sink has a name and a kind, like {name: archive, file: {path: /var/log/events.jsonl}}"
	case slices.Equal(keysOf(t), []string{"name", "value"}):
		return "write {name: ..., value: ...}"
	case n.Kind == yaml.SequenceNode && isList:
		return fmt.Sprintf("write the list as the value of %q: %s: {%[1]s: [...]}", main, name)
	case t == reflect.TypeFor[Config]() && n.Kind == yaml.ScalarNode:
		return `write lines of "key: value"`
	case t == reflect.TypeFor[Config]() && n.Kind == yaml.SequenceNode:
		return `write "sinks:" on a line of its own before the list`
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode:
		return `remove the "- " before each key`
	case main == "" || n.Kind != yaml.ScalarNode:
		return lines
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
	return fmt.Sprintf("write %s: {%s: %s}", name, main, value)
}

// mainKey is the key that a value without a key is most likely meant for.
func mainKey(t reflect.Type) (key string, isList bool) {
	if t.Kind() != reflect.Struct {
		return "", false
	}
	for i, key := range keysOf(t) {
		if f := t.Field(i); f.Tag.Get("required") == "true" || key == "address" {
			return key, f.Type.Kind() == reflect.Slice
		}
	}
	return "", false
}

// notList reports a value that should be a list.
func (d *decoder) notList(n *yaml.Node, t reflect.Type, path string) {
	at := spotOf(n)
	if n.Kind == yaml.ScalarNode && n.Style == 0 && strings.HasPrefix(n.Value, "-") {
		at.column++
		d.fail(at, path, `a space is missing after "-"; write "- "`)
		return
	}
	d.fail(at, path, "is %s, but must be a list; %s", shape(n), listAdvice(n, t.Elem(), lastKey(path)))
}

func listAdvice(n *yaml.Node, entry reflect.Type, name string) string {
	switch {
	case n.Kind == yaml.MappingNode && isPairs(entry) && !isEntry(n, entry):
		return `write each line as "- {name: ..., value: ...}"`
	case n.Kind == yaml.MappingNode && !isEntry(n, entry):
		return `write each entry as "- name: ..." with its keys below`
	case n.Kind == yaml.MappingNode:
		return `write "- " before the first key, and indent the other keys like it`
	case entry.Kind() == reflect.Struct && entry != reflect.TypeFor[Secret]():
		return `begin each entry with "- "`
	case n.Kind == yaml.ScalarNode && entry != reflect.TypeFor[Secret]() && publicValue.MatchString(n.Value):
		return fmt.Sprintf("write %s: [%s]", name, n.Value)
	}
	return fmt.Sprintf("write %s: [FIRST, SECOND], with quotes around an entry that has spaces", name)
}

func isPairs(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && slices.Equal(keysOf(t), []string{"name", "value"})
}

// isEntry reports whether the first key of n is a key of an entry.
func isEntry(n *yaml.Node, entry reflect.Type) bool {
	return len(n.Content) > 0 && entry.Kind() == reflect.Struct && slices.Contains(keysOf(entry), n.Content[0].Value)
}

// notSingle reports a list or keys in place of a single value.
func (d *decoder) notSingle(n *yaml.Node, t reflect.Type, path string) {
	text, key := d.valueAt(n), lastKey(path)
	switch {
	case n.Style&yaml.FlowStyle == 0:
		d.fail(spotOf(n), path, "is %s, but must be a single value; write it after the colon", describe(n))
	case text != "" && slices.Contains(publicKeys, key):
		d.fail(spotOf(n), path, "an unquoted value cannot begin with %q; write %s: %s", text[:1], key, singleQuoted(text))
	case t.Kind() == reflect.String && wordsOf(t) == nil && key != "name" || t == reflect.TypeFor[Secret]():
		d.fail(spotOf(n), path, "is %s, but must be a single value; write it without brackets, or put the whole value into single quotes", describe(n))
	default:
		d.fail(spotOf(n), path, "is %s, but must be a single value; write it without brackets", describe(n))
	}
}

// valueAt returns the rest of the line from a value on, if the value is behind a key that
// begins the line; otherwise the value may be shorter than that.
func (d *decoder) valueAt(n *yaml.Node) string {
	before, rest := d.around(spotOf(n))
	if !keyBefore.MatchString(before) {
		return ""
	}
	if i := strings.Index(rest, " #"); i >= 0 {
		rest = rest[:i]
	}
	return strings.TrimRight(rest, " \t\r")
}

var keyBefore = regexp.MustCompile(`^[ \t]*(- +)*[A-Za-z0-9_]+: +$`)

// maxLine is how long a line may be, in bytes, for advice that needs its text: a file of
// one long line would cost the product of its length and the number of its values.
const maxLine = 4096

// around returns the line before and from a position on. Both are empty for a line that
// is too long.
func (d *decoder) around(at spot) (before, rest string) {
	if at.line < 1 || at.line > len(d.lines) || len(d.lines[at.line-1]) > maxLine {
		return "", ""
	}
	line := []rune(d.lines[at.line-1])
	column := min(max(at.column-1, 0), len(line))
	return string(line[:column]), string(line[column:])
}

func singleQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// noValue reports a key without a value.
func (d *decoder) noValue(n *yaml.Node, t reflect.Type, path string) {
	at := d.keySpot(path, n)
	_, rest := d.around(at)
	_, rest, _ = strings.Cut(rest, ":")
	key := lastKey(path)
	switch value := strings.Trim(rest, " \t\r"); {
	case n.Anchor != "":
		_, after := d.around(spotOf(n))
		d.fail(spotOf(n), path, "an unquoted value cannot begin with &; %s", quoteAdvice(key, strings.TrimRight(after, " \t\r")))
	case strings.HasPrefix(value, "#") && kindOfValue(t) != diagnose.Parts:
		column := strings.Index(rest, "#")
		line, _ := d.around(spot{at.line, 1 << 20})
		d.fail(spot{at.line, len([]rune(line)) - len([]rune(rest)) + len([]rune(rest[:column])) + 1}, path, "has no value, because # begins a comment; %s", quoteAdvice(key, value))
	default:
		d.fail(at, path, "has no value; %s", d.valueAdvice(t, path))
	}
}

// valueAdvice says how to complete a key or an entry of a list without a value.
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

// quoteAdvice repeats the value only of a key that never holds a secret.
func quoteAdvice(key, value string) string {
	if slices.Contains(publicKeys, key) && value != "" {
		return fmt.Sprintf("write %s: %s", key, singleQuoted(shorten(value)))
	}
	return "put the whole value into single quotes"
}

// reserved reports a value that begins with an exclamation mark.
func (d *decoder) reserved(n *yaml.Node, path string) {
	value, key := d.valueAt(n), lastKey(path)
	if slices.Contains(publicKeys, key) && value != "" && !strings.HasPrefix(value, "!!") {
		d.fail(spotOf(n), path, "an unquoted value cannot begin with !; %s", quoteAdvice(key, value))
		return
	}
	d.fail(spotOf(n), path, "the word that begins with ! is not supported; remove it, or put the whole value into single quotes if it belongs to a text")
}

// emptyBlock reports a > or | that begins a text of several lines, which is not there.
func (d *decoder) emptyBlock(n *yaml.Node, path string) {
	d.fail(spotOf(n), path, "> and | begin a text of several lines, but none follows; %s", quoteAdvice(lastKey(path), d.valueAt(n)))
}

func isEmptyBlock(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && strings.TrimSpace(n.Value) == ""
}
