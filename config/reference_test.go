// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

func TestReferenceIsDefault(t *testing.T) {
	got, err := Parse("reference.yaml", Reference())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got, ignoreSource); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestReferenceHasAnExampleOfEveryKind(t *testing.T) {
	got, err := Parse("reference.yaml", []byte(uncommented(t)))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, s := range got.Sinks {
		kinds = append(kinds, s.Kind())
	}
	if diff := cmp.Diff(sinkKinds(), kinds); diff != "" {
		t.Errorf("kinds of the examples (-want +got):\n%s", diff)
	}
}

// Each key stands in the file, and the comment above it has its range.
func TestReferenceHasEveryKey(t *testing.T) {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(uncommented(t)), &root); err != nil {
		t.Fatal(err)
	}
	comments := make(map[string]string)
	collect(root.Content[0], "", "", comments)
	for _, f := range fieldsOf(reflect.TypeFor[Config](), "") {
		comment, ok := comments[f.path]
		if !ok {
			t.Errorf("%s is missing", f.path)
			continue
		}
		for _, tag := range []string{"min", "max"} {
			if text := f.tag.Get(tag); text != "" && text != "0" && !strings.Contains(comment, text) {
				t.Errorf("%s: the %simum %s is not in its comment: %q", f.path, tag, text, comment)
			}
		}
		if f.tag.Get("reload") == "restart" && !strings.Contains(comment, "restart") {
			t.Errorf("%s: its comment does not say that it needs a restart: %q", f.path, comment)
		}
		if f.tag.Get("required") == "true" && !strings.Contains(comment, "Required") {
			t.Errorf("%s: its comment does not say that it is required: %q", f.path, comment)
		}
	}
}

var exampleLine = regexp.MustCompile(`(?m)^  # ?(  .*|- name.*)?$`)

// uncommented is the reference with the examples at its end made active.
func uncommented(t *testing.T) string {
	t.Helper()
	text := string(Reference())
	at := strings.Index(text, "  # - name: ")
	if at < 0 {
		t.Fatal("the reference has no example")
	}
	return text[:at] + exampleLine.ReplaceAllString(text[at:], "  $1")
}

// collect notes the comment of every key. In a list all entries count as one,
// and one comment may serve the keys that follow it without an empty line.
func collect(n *yaml.Node, path, above string, comments map[string]string) {
	if n.Kind == yaml.SequenceNode {
		for _, entry := range n.Content {
			collect(entry, path+"[]", entry.HeadComment, comments)
		}
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.HeadComment != "" {
			above = key.HeadComment
		}
		path := join(path, key.Value)
		if comments[path] == "" {
			comments[path] = above
		}
		collect(value, path, "", comments)
	}
}

type fieldInfo struct {
	path string
	tag  reflect.StructTag
}

func fieldsOf(t reflect.Type, path string) []fieldInfo {
	switch t.Kind() {
	case reflect.Pointer:
		return fieldsOf(t.Elem(), path)
	case reflect.Slice:
		return fieldsOf(t.Elem(), path+"[]")
	case reflect.Struct:
		if t == reflect.TypeFor[Secret]() {
			return nil // one value, whose forms the file's head explains
		}
		var all []fieldInfo
		for i, key := range keysOf(t) {
			f := t.Field(i)
			all = append(all, fieldInfo{join(path, key), f.Tag})
			all = append(all, fieldsOf(f.Type, join(path, key))...)
		}
		return all
	}
	return nil
}

// A tag that does not parse, or an option that is neither required nor has a
// default, would be found by the user.
func TestTags(t *testing.T) {
	for _, f := range fieldsOf(reflect.TypeFor[Config](), "") {
		for _, tag := range strings.Fields(regexp.MustCompile(`:"[^"]*"`).ReplaceAllString(string(f.tag), "")) {
			if !strings.Contains(" yaml default min max required example reload word ", fmt.Sprintf(" %s ", tag)) {
				t.Errorf("%s: unknown tag %q", f.path, tag)
			}
		}
		if f.tag.Get("required") == "true" && f.tag.Get("example") == "" {
			t.Errorf("%s is required and has no example", f.path)
		}
	}
}
