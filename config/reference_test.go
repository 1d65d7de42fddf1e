// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sinks"
)

func TestReferenceIsDefault(t *testing.T) {
	got, err := Parse("reference.yaml", Reference(sinks.Kinds()), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(sinks.Kinds()), got, ignoreSource); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

// The examples of the kinds in the reference become valid sinks without their marks.
func TestReferenceHasAnExampleOfEveryKind(t *testing.T) {
	got, err := Parse("reference.yaml", uncommented(Reference(sinks.Kinds())), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, s := range got.Sinks {
		kinds = append(kinds, s.Kind)
	}
	if diff := cmp.Diff(kindNames(), kinds); diff != "" {
		t.Errorf("kinds of the examples (-want +got):\n%s", diff)
	}
}

// uncommented returns the reference with the examples at its end made active.
func uncommented(reference []byte) []byte {
	active, rest, _ := bytes.Cut(reference, []byte("  # - name: "))
	examples := append([]byte("  # - name: "), rest...)
	return append(bytes.Clone(active), regexp.MustCompile(`(?m)^  # ?(  |- name: )`).ReplaceAll(examples, []byte("  $1"))...)
}

// The comment of each key contains its range.
func TestReferenceDescribesEveryKey(t *testing.T) {
	for _, k := range Describe(sinks.Kinds()) {
		if k.Comment == "" {
			t.Errorf("%s has no comment", k.Path)
			continue
		}
		for _, limit := range []string{k.Min, k.Max} {
			if limit != "" && limit != "0" && !strings.Contains(k.Comment, limit) {
				t.Errorf("%s: the limit %s is not in its comment: %q", k.Path, limit, k.Comment)
			}
		}
		if k.Restart && !strings.Contains(k.Comment, "restart") {
			t.Errorf("%s: its comment does not mention a restart: %q", k.Path, k.Comment)
		}
		if k.Required && !strings.Contains(k.Comment, "Required") {
			t.Errorf("%s: its comment does not contain Required: %q", k.Path, k.Comment)
		}
	}
}

// Every tag is valid. Without this test, only users would notice an invalid tag.
func TestTags(t *testing.T) {
	checkTags(t, reflect.TypeFor[Config](), "")
}

func checkTags(t *testing.T, of reflect.Type, path string) {
	if of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if !strict.IsMapping(of) {
		return
	}
	known := strings.Fields("yaml default min max unit required example reload word oneof public name path prefix main shown")
	for _, f := range strict.Fields(of, sink.Variants(sinks.Kinds())) {
		at := strict.Join(path, f.Key)
		for _, tag := range strings.Fields(regexp.MustCompile(`:"[^"]*"`).ReplaceAllString(string(f.Tag), "")) {
			if !slices.Contains(known, tag) {
				t.Errorf("%s: unknown tag %q", at, tag)
			}
		}
		if f.Tag.Get("required") == "true" && f.Tag.Get("example") == "" {
			t.Errorf("%s is required and has no example", at)
		}
		checkTags(t, f.Type, at)
	}
}
