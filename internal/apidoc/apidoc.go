// SPDX-License-Identifier: Apache-2.0

// Package apidoc compares answers of the control API with docs/api.yaml, for tests.
package apidoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"os"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// A Document is an OpenAPI document. It rejects members of objects that it does not describe, so
// that a test finds them.
type Document struct {
	root       map[string]any
	compiler   *jsonschema.Compiler
	Operations []Operation
}

// An Operation is a request that the document describes.
type Operation struct {
	Pattern  string   // method and path, such as GET /v1/events/{id}
	Query    []string // parameters of the query
	Body     bool
	Operator bool  // it requires an operator
	Statuses []int // of the answers

	path      []string // of the operation in the document
	responses map[string]any
}

const resource = "api.json"

// Read reads a document.
func Read(path string) (*Document, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse parses the text of a document.
func Parse(text []byte) (*Document, error) {
	var parsed any
	if err := yaml.Unmarshal(text, &parsed); err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(parsed)
	if err != nil {
		return nil, err
	}
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	root, ok := decoded.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the document is not an object")
	}
	closeObjects(root)
	d := &Document{root: root, compiler: jsonschema.NewCompiler()}
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(resource, root); err != nil {
		return nil, err
	}
	return d, d.readOperations()
}

// closeObjects adds additionalProperties: false to the schemas of objects without that keyword.
func closeObjects(v any) {
	switch v := v.(type) {
	case []any:
		for _, part := range v {
			closeObjects(part)
		}
	case map[string]any:
		_, described := v["properties"].(map[string]any)
		if _, decided := v["additionalProperties"]; described && !decided && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, part := range v {
			closeObjects(part)
		}
	}
}

func (d *Document) readOperations() error {
	paths, _ := d.root["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item, _ := paths[path].(map[string]any)
		for _, method := range slices.Sorted(maps.Keys(item)) {
			described, ok := item[method].(map[string]any)
			if !ok {
				continue // the parameters of the path
			}
			o := Operation{Pattern: strings.ToUpper(method) + " " + path, path: []string{"paths", path, method}}
			if err := d.read(&o, described); err != nil {
				return fmt.Errorf("%s: %w", o.Pattern, err)
			}
			d.Operations = append(d.Operations, o)
		}
	}
	return nil
}

func (d *Document) read(o *Operation, described map[string]any) error {
	list, _ := described["parameters"].([]any)
	for _, p := range list {
		p, _ := p.(map[string]any)
		if name, _ := p["name"].(string); p["in"] == "query" {
			o.Query = append(o.Query, name)
		}
	}
	switch access := described["x-access"]; access {
	case "read", "operator":
		o.Operator = access == "operator"
	default:
		return fmt.Errorf("x-access is %v", access)
	}
	_, o.Body = described["requestBody"]
	o.responses, _ = described["responses"].(map[string]any)
	for _, text := range slices.Sorted(maps.Keys(o.responses)) {
		status := 0
		if _, err := fmt.Sscan(text, &status); err != nil {
			return fmt.Errorf("status %q: %w", text, err)
		}
		o.Statuses = append(o.Statuses, status)
	}
	return nil
}

// Operation returns the operation with a method and path, or nil.
func (d *Document) Operation(pattern string) *Operation {
	i := slices.IndexFunc(d.Operations, func(o Operation) bool { return o.Pattern == pattern })
	if i < 0 {
		return nil
	}
	return &d.Operations[i]
}

// Check compares an answer with its description.
func (d *Document) Check(o *Operation, status int, contentType string, body []byte) error {
	code := fmt.Sprint(status)
	if _, ok := o.responses[code]; !ok {
		return fmt.Errorf("%s: the status %s is not documented", o.Pattern, code)
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fmt.Errorf("%s: content type %q: %w", o.Pattern, contentType, err)
	}
	response, at := d.resolve(append(slices.Clone(o.path), "responses", code))
	content, _ := response["content"].(map[string]any)
	if _, ok := content[media]; !ok {
		return fmt.Errorf("%s: status %s: the content type %q is not documented", o.Pattern, code, media)
	}
	at = append(at, "content", media, "schema")
	if err := d.checkBody(at, media, body); err != nil {
		return fmt.Errorf("%s: status %s: %w: %.2000s", o.Pattern, code, err, body)
	}
	return nil
}

// CheckRequest compares the body of a request with its description.
func (d *Document) CheckRequest(o *Operation, body []byte) error {
	_, at := d.resolve(append(slices.Clone(o.path), "requestBody"))
	return d.checkBody(append(at, "content", "application/json", "schema"), "application/json", body)
}

// CheckParameter compares a value with the description of a parameter of the query.
func (d *Document) CheckParameter(o *Operation, name string, value any) error {
	described, _ := d.resolve(o.path)
	list, _ := described["parameters"].([]any)
	for i, p := range list {
		if p, _ := p.(map[string]any); p["name"] == name {
			return d.validate(append(slices.Clone(o.path), "parameters", fmt.Sprint(i), "schema"), value)
		}
	}
	return fmt.Errorf("%s does not have a parameter %s", o.Pattern, name)
}

func (d *Document) checkBody(at []string, media string, body []byte) error {
	switch media {
	case "application/json":
		return d.checkJSON(at, body)
	case "application/x-ndjson":
		for line := range bytes.Lines(body) {
			if !bytes.HasSuffix(line, []byte("\n")) {
				return fmt.Errorf("the last line is not complete")
			}
			if err := d.checkJSON(at, line); err != nil {
				return err
			}
		}
		return nil
	}
	return d.validate(at, string(body))
}

func (d *Document) checkJSON(at []string, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return d.validate(at, value)
}

func (d *Document) validate(at []string, value any) error {
	pointer := ""
	for _, part := range at {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(part)
	}
	schema, err := d.compiler.Compile(resource + "#" + pointer)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// resolve returns the object at a path of the document, and its path without references.
func (d *Document) resolve(path []string) (object map[string]any, at []string) {
	object = d.root
	for _, part := range path {
		object, _ = object[part].(map[string]any)
	}
	if reference, ok := object["$ref"].(string); ok {
		return d.resolve(strings.Split(strings.TrimPrefix(reference, "#/"), "/"))
	}
	return object, path
}

// Members returns the members of a schema below components, and those that are required.
func (d *Document) Members(schema string) (all, required []string) {
	object, _ := d.resolve([]string{"components", "schemas", schema})
	properties, _ := object["properties"].(map[string]any)
	list, _ := object["required"].([]any)
	for _, name := range list {
		required = append(required, fmt.Sprint(name))
	}
	return slices.Sorted(maps.Keys(properties)), slices.Sorted(slices.Values(required))
}
