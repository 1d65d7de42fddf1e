// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/genltestd/genltestd/config/strict"
)

// mustParse is for texts of the program itself: every test finds an invalid one.
func mustParse(text []byte) *yaml.Node {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		panic(fmt.Sprintf("schema: a reference: %v", err))
	}
	return root.Content[0]
}

// collectComments collects the comment of every key, by path. A comment also belongs to the
// keys that follow without a comment, and to those within them. The entries of a list are
// one: the first comment counts.
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
		path := strict.Join(path, key.Value)
		if comments[path] == "" {
			comments[path] = above
		}
		collectComments(value, path, above, comments)
	}
}

// prose returns the text of a comment, on one line. The last of several paragraphs describes
// the key.
func prose(comment string) string {
	var words []string
	comment = comment[strings.LastIndex(comment, "\n\n")+1:]
	for line := range strings.Lines(comment) {
		words = append(words, strings.Fields(strings.TrimLeft(line, "#"))...)
	}
	return strings.Join(words, " ")
}

// collectValues collects the first value of every key, by path.
func collectValues(n *yaml.Node, path string, values map[string]*yaml.Node) {
	switch n.Kind {
	case yaml.SequenceNode:
		for _, entry := range n.Content {
			collectValues(entry, path+"[]", values)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			path := strict.Join(path, n.Content[i].Value)
			if values[path] == nil {
				values[path] = n.Content[i+1]
			}
			collectValues(n.Content[i+1], path, values)
		}
	}
}

// oneLine returns the YAML of a value in flow style.
func oneLine(n *yaml.Node) string {
	text, err := yaml.Marshal(inFlow(n))
	if err != nil {
		panic(fmt.Sprintf("schema: a value of a reference: %v", err))
	}
	return strings.TrimSuffix(string(text), "\n")
}

// inFlow returns a copy without comments. Scalars keep their quotes, and become one line.
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
