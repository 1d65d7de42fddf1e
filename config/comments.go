// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// uncommented is the reference with the examples at its end made active.
func uncommented() string {
	active, rest, _ := strings.Cut(reference, "  # - name: ")
	var text strings.Builder
	text.WriteString(active)
	for line := range strings.Lines("  # - name: " + rest) {
		text.WriteString(withoutMark(line))
	}
	return text.String()
}

// withoutMark takes the # from a line of an example, not from a comment in it.
func withoutMark(line string) string {
	text, ok := strings.CutPrefix(line, "  #")
	text = strings.TrimPrefix(text, " ")
	switch {
	case ok && text == "\n":
		return text
	case ok && (strings.HasPrefix(text, "  ") || strings.HasPrefix(text, "- name: ")):
		return "  " + text
	}
	return line
}

// mustParse is for texts of this package: a bad one is found by every test.
func mustParse(text string) *yaml.Node {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		panic(fmt.Sprintf("config: a text of its own: %v", err))
	}
	return root.Content[0]
}

// collectComments notes the comment of every key, by path. One comment may serve the
// keys that follow it without one, and those within them. The entries of a list count
// as one: the first comment counts.
func collectComments(n *yaml.Node, path, above string, comments map[string]string) {
	if n.Kind == yaml.SequenceNode {
		for _, entry := range n.Content {
			if entry.HeadComment != "" {
				above = prose(entry.HeadComment)
			}
			collectComments(entry, path+"[]", above, comments)
		}
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.HeadComment != "" {
			above = prose(key.HeadComment)
		}
		path := join(path, key.Value)
		if comments[path] == "" {
			comments[path] = above
		}
		collectComments(value, path, above, comments)
	}
}

// prose is the text of a comment, on one line. Of several paragraphs the last is about
// the key.
func prose(comment string) string {
	var words []string
	comment = comment[strings.LastIndex(comment, "\n\n")+1:]
	for line := range strings.Lines(comment) {
		words = append(words, strings.Fields(strings.TrimLeft(line, "#"))...)
	}
	return strings.Join(words, " ")
}

// collectValues notes the first value of every key, by path.
func collectValues(n *yaml.Node, path string, values map[string]*yaml.Node) {
	switch n.Kind {
	case yaml.SequenceNode:
		for _, entry := range n.Content {
			collectValues(entry, path+"[]", values)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			path := join(path, n.Content[i].Value)
			if values[path] == nil {
				values[path] = n.Content[i+1]
			}
			collectValues(n.Content[i+1], path, values)
		}
	}
}

// oneLine is the YAML of a value in flow style.
func oneLine(n *yaml.Node) string {
	text, err := yaml.Marshal(inFlow(n))
	if err != nil {
		panic(fmt.Sprintf("config: a value of its own: %v", err))
	}
	return strings.TrimSuffix(string(text), "\n")
}

// inFlow is a copy without comments. Scalars keep their quotes, but no lines of their
// own.
func inFlow(n *yaml.Node) *yaml.Node {
	flow := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Style: n.Style}
	switch {
	case n.Kind != yaml.ScalarNode:
		flow.Style = yaml.FlowStyle
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		flow.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		flow.Content = append(flow.Content, inFlow(child))
	}
	return flow
}
