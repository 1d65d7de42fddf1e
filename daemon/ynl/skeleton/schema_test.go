// SPDX-License-Identifier: Apache-2.0

package skeleton

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// The kernel's schema, which its own tools use, accepts skeletons. Its text must not become a
// part of this tree, so the test is skipped without a source of Linux.
func TestTheKernelsSchemaAcceptsSkeletons(t *testing.T) {
	linux := os.Getenv("GENLTEST_LINUX")
	if linux == "" {
		t.Skip("set GENLTEST_LINUX to the source of Linux, such as linux-source of Debian")
	}
	text, err := os.ReadFile(filepath.Join(linux, "Documentation/netlink/genetlink-legacy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("%YAML 1.2\n"), nil, 1) // package yaml knows 1.1 only
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", asJSON(t, text)); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	families := recorded(t)
	hostile, policies := everything()
	if err := schema.Validate(asJSON(t, Spec(hostile, &policies))); err != nil {
		t.Error(err)
	}
	for _, f := range families {
		if err := schema.Validate(asJSON(t, Spec(f, policiesOf(t, f)))); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

// asJSON returns YAML in the form that package jsonschema uses.
func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}
