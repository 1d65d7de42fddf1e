// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	got, err := Parse("reference.yaml", []byte(uncommented()))
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
	comments := make(map[string]string)
	collectComments(mustParse(uncommented()), "", "", comments)
	for _, f := range fieldsOf(reflect.TypeFor[Config](), "") {
		comment := comments[f.path]
		if comment == "" {
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

// A tag that does not parse, or an option that is neither required nor has a
// default, would be found by the user.
func TestTags(t *testing.T) {
	for _, f := range fieldsOf(reflect.TypeFor[Config](), "") {
		for _, tag := range strings.Fields(regexp.MustCompile(`:"[^"]*"`).ReplaceAllString(string(f.tag), "")) {
			if !strings.Contains(" yaml default min max unit required example reload word ", fmt.Sprintf(" %s ", tag)) {
				t.Errorf("%s: unknown tag %q", f.path, tag)
			}
		}
		if f.tag.Get("required") == "true" && f.tag.Get("example") == "" {
			t.Errorf("%s is required and has no example", f.path)
		}
	}
}
