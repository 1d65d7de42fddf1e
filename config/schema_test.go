// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/genltestd/genltestd/daemon/sinks"
)

func TestSchemaIsGenerated(t *testing.T) {
	if diff := cmp.Diff(string(readTestFile(t, "schema.json")), string(Schema(sinks.Kinds()))); diff != "" {
		t.Errorf("schema.json does not match the structs; run make generate (-is +should be):\n%s", diff)
	}
}

// The form that yaml-language-server requires; make install writes another PREFIX.
func TestReferenceNamesItsSchema(t *testing.T) {
	want := "\n# yaml-language-server: $schema=/usr/local/share/genltestd/genltestd.schema.json\n"
	if head, _, _ := strings.Cut(string(Reference(sinks.Kinds())), "\n\n"); !strings.Contains(head+"\n", want) {
		t.Errorf("the reference begins %q, without %q", head, want)
	}
}

// The compiler also checks it, but against the dialect that the schema itself names.
func TestSchemaIsDraft202012(t *testing.T) {
	c := jsonschema.NewCompiler()
	meta, err := c.Compile("https://json-schema.org/draft/2020-12/schema")
	if err != nil {
		t.Fatal(err)
	}
	if err := meta.Validate(schemaDocument(t)); err != nil {
		t.Error(err)
	}
}

// Editors have other engines of regular expressions: ECMA 262's with the flag u, which
// rejects unnecessary escapes.
var foreignPattern = regexp.MustCompile(`\\[^sSx.+\[\]]|\(\?[^:]|\[\[:`)

func TestSchemaPatternsArePortable(t *testing.T) {
	count := 0
	eachPattern(schemaDocument(t), func(pattern string) {
		count++
		if bad := foreignPattern.FindString(pattern); bad != "" {
			t.Errorf("%s is not portable: %s", bad, pattern)
		}
		if strings.HasPrefix(pattern, "^^") {
			t.Errorf("malformed: %s", pattern)
		}
	})
	if count < 3 {
		t.Errorf("got %d patterns", count)
	}
}

func eachPattern(v any, do func(pattern string)) {
	switch v := v.(type) {
	case []any:
		for _, part := range v {
			eachPattern(part, do)
		}
	case map[string]any:
		for key, part := range v {
			if text, ok := part.(string); ok && key == "pattern" {
				do(text)
			}
			eachPattern(part, do)
		}
	}
}

// A schema that rejects a valid file would have an editor complain about it. The test uses
// the files of the other tests, and thousands of small ones.
func TestSchemaAcceptsWhatParseAccepts(t *testing.T) {
	schema, accepted, rejected, agreed := compileSchema(t), 0, 0, 0
	compare := func(name string, text []byte) {
		_, parseErr := Parse(name, text, sinks.Kinds())
		schemaErr := validate(schema, text)
		switch {
		case parseErr != nil && schemaErr != nil:
			rejected, agreed = rejected+1, agreed+1
		case parseErr != nil:
			rejected++
		default:
			accepted++
			if schemaErr != nil {
				t.Errorf("%s: Parse accepts, the schema rejects: %v\n%.500s", name, schemaErr, text)
			}
		}
	}
	for _, path := range slices.Concat(configurations(t, "good"), configurations(t, "bad"), glob(t, "testdata/dirs/*/*.yaml", 1)) {
		compare(path, readTestFile(t, path))
	}
	compare("reference", Reference(sinks.Kinds()))
	for _, text := range Examples(sinks.Kinds()) {
		compare("examples", text)
	}
	for text := range schemaCases() {
		compare("case", []byte(text))
	}
	t.Logf("Parse accepts %d texts and rejects %d; of these the schema rejects %d", accepted, rejected, agreed)
	if accepted < 100 || agreed < rejected*2/5 { // it does not know the rules of the kinds
		t.Errorf("Parse accepts %d texts and rejects %d; of these the schema rejects %d", accepted, rejected, agreed)
	}
}

// The mistakes that an editor shows while a person types.
func TestSchemaRejects(t *testing.T) {
	schema := compileSchema(t)
	for _, text := range []string{
		"nokey: 1", "log: {level: loud}", "log: {level: 1}", "echo: {interval: soon}", "echo: 5s",
		"journal: {max_bytes: 1TB}", "receiver: {buffer: -1}",
		"sinks: {}", "sinks: [{stdout: {}}]", "sinks: [{name: a}]",
		"sinks: [{name: a, stdout: {}, syslog: {}}]", "sinks: [{name: a, stdout: {x: 1}}]",
		"sinks: [{name: a, file: {}}]", "sinks: [{name: a, file: {path: /x, mode: rw}}]", "sinks: [{name: a, file: {path: /x, fsync: maybe}}]",
		"sinks: [{name: a, stdout: {}, workers: many}]",
		"sinks: [{name: a, webhook: {url: {file: /a, env: B}}}]", "sinks: [{name: a, webhook: {url: [x]}}]",
		"sinks: [{name: a, webhook: {url: x, headers: [{name: X-A}]}}]", "sinks: [{name: a, exec: {argv: /bin/true}}]", "event: {boot_id: 1}",
	} {
		if validate(schema, []byte(text)) == nil {
			t.Errorf("the schema accepts %s", text)
		}
		if _, err := Parse("x", []byte(text), sinks.Kinds()); err == nil {
			t.Errorf("Parse accepts %s", text)
		}
	}
}

func validate(schema *jsonschema.Schema, text []byte) error {
	documents, err := jsonModel(text)
	for _, v := range documents {
		err = errors.Join(err, schema.Validate(v))
	}
	return err
}

func FuzzSchemaAcceptsParsedText(f *testing.F) {
	for _, path := range slices.Concat(configurations(f, "good"), configurations(f, "bad"), []string{"reference.yaml", "examples.yaml"}) {
		f.Add(readTestFile(f, path))
	}
	schema := compileSchema(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		watchdog := time.AfterFunc(20*time.Second, func() { panic("the schema hangs") })
		defer watchdog.Stop()
		if _, err := Parse("fuzz.yaml", text, sinks.Kinds()); err != nil {
			return
		}
		documents, err := jsonModel(text)
		if err != nil {
			return // yaml.v3 accepts fewer aliases
		}
		for _, v := range documents {
			if err := schema.Validate(v); err != nil {
				t.Errorf("the schema rejects a text that Parse accepts: %v", err)
			}
		}
	})
}

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", schemaDocument(t)); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func schemaDocument(t testing.TB) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(readTestFile(t, "schema.json")))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// jsonModel returns the JSON value of each document of a text.
func jsonModel(text []byte) ([]any, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var all []any
	for {
		var v any
		switch err := decodeAny(dec, &v); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		all = append(all, toJSON(v))
	}
}

func decodeAny(dec *yaml.Decoder, v *any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the YAML parser fails on this text")
		}
	}()
	return dec.Decode(v)
}

// toJSON converts keys and times to texts, and infinite numbers to finite ones.
func toJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = toJSON(value)
		}
	case map[any]any:
		m := make(map[string]any)
		for key, value := range v {
			text, _ := yaml.Marshal(key)
			m[strings.TrimSpace(string(text))] = toJSON(value)
		}
		return m
	case []any:
		for i, value := range v {
			v[i] = toJSON(value)
		}
	case time.Time:
		return v.Format(time.DateOnly)
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return math.MaxFloat64
		}
	}
	return v
}
