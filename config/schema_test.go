// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

func TestSchemaIsGenerated(t *testing.T) {
	if diff := cmp.Diff(string(readTestFile(t, "schema.json")), string(Schema())); diff != "" {
		t.Errorf("schema.json is not that of the structs; run make generate (-is +should be):\n%s", diff)
	}
}

// As yaml-language-server wants it; make install puts another PREFIX into it.
func TestReferenceNamesItsSchema(t *testing.T) {
	want := "\n# yaml-language-server: $schema=/usr/local/share/genltestd/genltestd.schema.json\n"
	if head, _, _ := strings.Cut(reference, "\n\n"); !strings.Contains(head+"\n", want) {
		t.Errorf("the reference begins %q, without %q", head, want)
	}
}

// The compiler checks it too, but by the dialect that the schema itself names.
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

// Each form is laid over a key that is there, so that none is left when a key goes.
func TestSchemaFormsHaveKeys(t *testing.T) {
	unused := textForms()
	eachField(reflect.TypeFor[Config](), func(form string) { delete(unused, form) })
	for form := range unused {
		t.Errorf("%s is no key", form)
	}
}

func eachField(t reflect.Type, do func(form string)) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		eachField(t.Elem(), do)
	case reflect.Struct:
		for i, key := range keysOf(t) {
			do(t.Name() + "." + key)
			eachField(t.Field(i).Type, do)
		}
	}
}

// Editors have other engines of regular expressions: ECMA 262's with the flag u, which
// refuses an escape that it does not need.
var foreignPattern = regexp.MustCompile(`\\[^sSx.+\[\]]|\(\?[^:]|\[\[:`)

func TestSchemaPatternsArePortable(t *testing.T) {
	count := 0
	eachPattern(schemaDocument(t), func(pattern string) {
		count++
		if bad := foreignPattern.FindString(pattern); bad != "" {
			t.Errorf("%s is not for every engine: %s", bad, pattern)
		}
		if strings.HasPrefix(pattern, "^^") {
			t.Errorf("malformed: %s", pattern)
		}
	})
	if count < 50 {
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

// The one direction without an exception, on any text.
func FuzzSchemaAcceptsWhatParseDoes(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml", "reference.yaml", "examples.yaml"} {
		for _, path := range glob(f, pattern, 1) {
			f.Add(readTestFile(f, path))
		}
	}
	schema := compileSchema(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		watchdog := time.AfterFunc(20*time.Second, func() { panic("the schema hangs") })
		defer watchdog.Stop()
		if _, err := Parse("fuzz.yaml", text); err != nil {
			return
		}
		documents, err := jsonModel(text)
		if err != nil {
			return // of aliases yaml.v3 takes fewer
		}
		for _, v := range documents {
			if err := schema.Validate(v); err != nil {
				t.Errorf("the schema refuses what Parse takes: %v", err)
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

// jsonModel is what a schema gets to see of each document of a text.
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

// toJSON has no keys but texts, no times, and of numbers those that are finite.
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
