// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/genltestd/genltestd/daemon/sinks"
)

var (
	quotedRemedy = regexp.MustCompile(`(?:write|or|quote it:) ("(?:[^"\\]|\\.)*"|true|false|[0-9]+)(?: without quotes| or "| to |$)`)
	lineRemedy   = regexp.MustCompile(`write ([a-z_]+): (.+)$`)
	lengthRemedy = regexp.MustCompile(`has \d+ bytes|(printable|visible) ASCII characters`)
	keyRemedy    = regexp.MustCompile(`^unknown key; (?:write|did you mean) "([a-z0-9_]+)"\??$`)
)

// Each literal remedy of an error is applied. The error must disappear, and no other error
// may appear at its position.
func TestRemediesAreAccepted(t *testing.T) {
	tried := 0
	for _, m := range remedyTexts(t) {
		_, err := Parse("x", []byte(m.text), sinks.Kinds())
		var errs Errors
		if !errors.As(err, &errs) || !language().Parses([]byte(m.text)) {
			continue
		}
		for _, e := range errs {
			for _, text := range applied(t, m.text, e) {
				tried++
				if _, err := Parse("x", []byte(text), sinks.Kinds()); errorRemains(err, e) {
					t.Errorf("%s: the remedy of\n%v\ncauses\n%v\nin\n%s", m.name, e, err, text)
				}
			}
		}
	}
	if tried < 60 {
		t.Errorf("tried %d remedies, want many", tried)
	}
	t.Logf("tried %d remedies", tried)
}

func remedyTexts(t *testing.T) []mistake {
	all := mistakes(t)
	for _, path := range configurations(t, "bad") {
		all = append(all, mistake{name: path, text: string(readTestFile(t, path))})
	}
	return all
}

// applied returns the text with each literal remedy of a fault.
func applied(t *testing.T, text string, e *FieldError) (all []string) {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		t.Fatal(err)
	}
	n := nodeAt(&root, e.Line, e.Column)
	if n == nil {
		return nil
	}
	if m := keyRemedy.FindStringSubmatch(e.Message); m != nil && strings.HasSuffix(e.Path, n.Value) {
		return append(all, substitute(text, n, m[1]))
	}
	if lengthRemedy.MatchString(e.Message) || strings.HasPrefix(e.Message, "unknown key") || n.Kind != yaml.ScalarNode ||
		strings.Contains(n.Value, "\n") {
		return nil
	}
	m := lineRemedy.FindStringSubmatch(e.Message)
	if m != nil && !strings.Contains(m[2], "...") && !strings.Contains(m[2], "FIRST") && strings.HasSuffix(e.Path, m[1]) {
		return append(all, substitute(text, n, m[2]))
	}
	for _, m := range quotedRemedy.FindAllStringSubmatch(e.Message, -1) {
		all = append(all, substitute(text, n, m[1]))
	}
	return all
}

// substitute replaces a scalar, which is plain or quoted in the source.
func substitute(text string, n *yaml.Node, with string) string {
	lines := strings.SplitAfter(text, "\n")
	line := []rune(lines[n.Line-1])
	before, rest := string(line[:n.Column-1]), string(line[n.Column-1:])
	raw := n.Value
	if n.Style != 0 {
		raw = rest[:1+strings.IndexByte(rest[1:], rest[0])+1]
	}
	lines[n.Line-1] = before + with + strings.TrimPrefix(rest, raw)
	return strings.Join(lines, "")
}

func nodeAt(n *yaml.Node, line, column int) *yaml.Node {
	if n.Kind == yaml.ScalarNode && n.Line == line && n.Column == column {
		return n
	}
	for _, child := range n.Content {
		if found := nodeAt(child, line, column); found != nil {
			return found
		}
	}
	return nil
}

func errorRemains(err error, e *FieldError) bool {
	var errs Errors
	if !errors.As(err, &errs) {
		return err != nil
	}
	for _, other := range errs {
		same := other.Line == e.Line && other.Column == e.Column
		if same && (other.Message == e.Message || strings.HasPrefix(fmt.Sprint(other.Message), "is ")) {
			return true
		}
	}
	return false
}
