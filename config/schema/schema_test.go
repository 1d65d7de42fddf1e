// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/strict"
)

// A span is a value with a type of its own.
type span int64

func (s *span) UnmarshalText([]byte) error { return nil }

func (s *span) Describe() strict.Description {
	return strict.Description{Type: "span", Unit: "s", Schema: map[string]any{"type": "string"}}
}

// A tone is one of the words that its type defines.
type tone string

func (t *tone) Describe() strict.Description {
	return strict.Description{Type: "word", Words: []string{"low", "high"}}
}

// An orchard has a key for each tag and type.
type orchard struct {
	Text   string            `yaml:"text" default:"no" public:"true"`
	Word   string            `yaml:"word" default:"a" oneof:"a b"`
	Tone   tone              `yaml:"tone" default:"low"`
	Count  int               `yaml:"count" default:"1" min:"1" max:"10" unit:"trees"`
	On     bool              `yaml:"on" default:"false"`
	Wait   span              `yaml:"wait" default:"0" min:"0" max:"1h"`
	Need   string            `yaml:"need" required:"true" example:"/x"`
	Lists  []string          `yaml:"lists"`
	Texts  map[string]string `yaml:"texts"`
	Group  group             `yaml:"group"`
	Trees  []tree            `yaml:"trees" shown:"[{name: a, apple: {}}]"`
	Hidden string            `yaml:"-"`
}

type group struct {
	Path string `yaml:"path" default:"" reload:"restart"`
}

type tree struct {
	Name string   `yaml:"name" required:"true" example:"a"`
	Rows []string `yaml:"rows" required:"true" example:"r1"`
	Kind string   `yaml:"-"`
	Of   any      `union:"Kind"`
}

type apple struct {
	Sort string `yaml:"sort" default:"boskoop"`
}

type pear struct {
	Age int `yaml:"age" required:"true" example:"3" min:"1"`
}

const reference = `# The text.
text: "no"
# Words.
word: a
tone: low

# A paragraph about the file.

# How many,
# counted.
count: 1
on: false
wait: 0
need: /x
lists: []
texts: {}
# A group.
group:
  # Where.
  path: ""
trees:
  # A tree.
  - name: a
    rows: [r1]
`

func source() *Source {
	return &Source{
		Root: &orchard{},
		Variants: []strict.Variant{
			{Key: "apple", New: func() any { return new(apple) }},
			{Key: "pear", New: func() any { return new(pear) }},
		},
		Reference: []byte(reference),
		VariantReferences: map[string][]byte{
			"apple": []byte("trees:\n- name: first\n# Apples.\n- apple:\n    # Which.\n    sort: boskoop\n"),
			"pear":  []byte("trees:\n- name: first\n# Pears.\n- pear:\n    # Years.\n    age: 3\n"),
		},
		Examples: []byte("text: |\n  two\n  lines\nword: b\ncount: 5 # not this\nlists: [x, 'y']\ntexts:\n  k: v\ngroup:\n  path: /p\n"),
		VariantExamples: map[string][]byte{
			"apple": []byte("trees:\n- apple:\n    sort: gala\n- apple:\n    sort: other\n"),
			"pear":  []byte("trees:\n- pear:\n    age: 5\n"),
		},
	}
}

func TestKeys(t *testing.T) {
	want := []Key{
		{Path: "text", Type: "text", Default: `"no"`, Example: `"two\nlines\n"`, Comment: "The text."},
		{Path: "word", Type: "word", Words: []string{"a", "b"}, Default: "a", Example: "b", Comment: "Words."},
		{Path: "tone", Type: "word", Words: []string{"low", "high"}, Default: "low", Comment: "Words."},
		{Path: "count", Type: "number", Unit: "trees", Default: "1", Min: "1", Max: "10", Example: "5", Comment: "How many, counted."},
		{Path: "on", Type: "true or false", Default: "false", Comment: "How many, counted."},
		{Path: "wait", Type: "span", Unit: "s", Default: "0", Min: "0", Max: "1h", Comment: "How many, counted."},
		{Path: "need", Type: "text", Required: true, Comment: "How many, counted."},
		{Path: "lists", Type: "list of texts", Default: "[]", Example: "[x, 'y']", Comment: "How many, counted."},
		{Path: "texts", Type: "mapping of texts", Default: "{}", Example: "{k: v}", Comment: "How many, counted."},
		{Path: "group", Type: "mapping", Example: "{path: /p}", Comment: "A group."},
		{Path: "group.path", Type: "text", Default: `""`, Restart: true, Example: "/p", Comment: "Where."},
		{Path: "trees", Type: "list of mappings", Default: "[{name: a, apple: {}}]", Comment: "A group."},
		{Path: "trees[].name", Type: "text", Required: true, Comment: "A tree."},
		{Path: "trees[].rows", Type: "list of texts", Required: true, Comment: "A tree."},
		{Path: "trees[].apple", Variant: "apple", Type: "mapping", Example: "{sort: gala}", Comment: "Apples."},
		{Path: "trees[].apple.sort", Variant: "apple", Type: "text", Default: "boskoop", Example: "gala", Comment: "Which."},
		{Path: "trees[].pear", Variant: "pear", Type: "mapping", Example: "{age: 5}", Comment: "Pears."},
		{Path: "trees[].pear.age", Variant: "pear", Type: "number", Required: true, Min: "1", Example: "5", Comment: "Years."},
	}
	if diff := cmp.Diff(want, source().Keys()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	got := source().Defaults()
	for path, want := range map[string]string{"text": `"no"`, "lists": "[]", "group": `{path: ""}`, "group.path": `""`, "trees[].name": "a"} {
		if got[path] != want {
			t.Errorf("%s: got %s, want %s", path, got[path], want)
		}
	}
}

func TestJSON(t *testing.T) {
	const want = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$comment": "SPDX-License-Identifier: Apache-2.0. Code generated by make generate; DO NOT EDIT.",
  "$defs": {"span": {"type": "string"}},
  "description": "An orchard.",
  "type": ["object", "null"],
  "additionalProperties": false,
  "patternProperties": {"^x-": {"description": "Ignored: a place for values that aliases use."}},
  "required": ["need"],
  "properties": {
    "text": {"type": "string", "default": "no", "description": "The text."},
    "word": {"type": "string", "enum": ["a", "b"], "default": "a", "description": "Words."},
    "tone": {"type": "string", "enum": ["low", "high"], "default": "low", "description": "Words."},
    "count": {"type": "integer", "default": 1, "description": "How many, counted.\n\nUnit: trees."},
    "on": {"type": "boolean", "default": false, "description": "How many, counted."},
    "wait": {"$ref": "#/$defs/span", "default": 0, "description": "How many, counted.\n\nUnit: s."},
    "need": {"type": "string", "examples": ["/x"], "description": "How many, counted."},
    "lists": {"type": "array", "items": {"type": "string"}, "description": "How many, counted."},
    "texts": {"type": "object", "additionalProperties": {"type": "string"}, "description": "How many, counted."},
    "group": {
      "type": "object", "additionalProperties": false, "description": "A group.",
      "properties": {"path": {"type": "string", "default": "", "description": "Where."}}
    },
    "trees": {
      "type": "array", "default": [{"name": "a", "apple": {}}], "description": "A group.",
      "items": {
        "type": "object", "additionalProperties": false, "required": ["name", "rows"],
        "oneOf": [{"required": ["apple"]}, {"required": ["pear"]}],
        "properties": {
          "name": {"type": "string", "examples": ["a"], "description": "A tree."},
          "rows": {"type": "array", "items": {"type": "string"}, "examples": [["r1"]], "description": "A tree."},
          "apple": {
            "type": ["object", "null"], "additionalProperties": false, "description": "Apples.",
            "properties": {"sort": {"type": "string", "default": "boskoop", "description": "Which."}}
          },
          "pear": {
            "type": "object", "additionalProperties": false, "description": "Pears.", "required": ["age"],
            "properties": {"age": {"type": "integer", "examples": [3], "description": "Years."}}
          }
        }
      }
    }
  }
}`
	if diff := cmp.Diff(parsed(t, []byte(want)), parsed(t, source().JSON("An orchard."))); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
}

func parsed(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The schema is compared with a committed file, so the same source must produce the same text.
func TestJSONIsDeterministic(t *testing.T) {
	first := source().JSON("x")
	for range 5 {
		if diff := cmp.Diff(string(first), string(source().JSON("x"))); diff != "" {
			t.Fatalf("another schema (-first +now):\n%s", diff)
		}
	}
}

func TestInvalidReferencePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	(&Source{Root: &group{}, Reference: []byte("a: [")}).Keys()
}
