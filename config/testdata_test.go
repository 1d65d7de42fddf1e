// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// The folders testdata/good and testdata/bad of this package contain configurations about the
// common keys, several sinks and YAML. Those about one kind of sink are in its own folder.
const kindFolders = "../daemon/sink"

// configurations returns the paths of all configurations with a verdict, which is good or bad.
func configurations(t testing.TB, verdict string) []string {
	t.Helper()
	pattern := filepath.Join("testdata", verdict, "*.yaml")
	return append(glob(t, pattern, 1), glob(t, filepath.Join(kindFolders, "*", pattern), 1)...)
}

// nameOf returns a name for a test of a configuration, such as file/good/minimal.
func nameOf(path string) string {
	name := strings.TrimPrefix(strings.TrimSuffix(path, ".yaml"), kindFolders+"/")
	return strings.ReplaceAll(name, "testdata/", "")
}

func TestEveryKindHasGoodAndBadConfigurations(t *testing.T) {
	for _, kind := range kindNames() {
		for _, verdict := range []string{"good", "bad"} {
			pattern := filepath.Join(kindFolders, kind, "testdata", verdict, "*.yaml")
			if paths, _ := filepath.Glob(pattern); len(paths) == 0 {
				t.Errorf("no %s configuration of kind %s: add %s", verdict, kind, pattern)
			}
		}
	}
}

// Each message is compared with the file NAME.err: the user sees only this message.
func TestParseBad(t *testing.T) {
	for _, path := range configurations(t, "bad") {
		t.Run(nameOf(path), func(t *testing.T) {
			_, err := Parse(filepath.Base(path), readTestFile(t, path), sinks.Kinds())
			if errs := Errors(nil); !errors.As(err, &errs) {
				t.Fatalf("got error %v, want Errors", err)
			}
			compareGolden(t, strings.TrimSuffix(path, ".yaml")+".err", withoutKinds(err.Error())+"\n")
		})
	}
}

// The values of the kind's keys are compared with the golden file of the configuration.
func TestParseGoodOfKinds(t *testing.T) {
	for _, path := range glob(t, filepath.Join(kindFolders, "*", "testdata", "good", "*.yaml"), len(kindNames())) {
		t.Run(nameOf(path), func(t *testing.T) {
			c, err := Parse(path, readTestFile(t, path), sinks.Kinds())
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, s := range c.Sinks {
				if kind := filepath.Base(strings.TrimSuffix(filepath.Dir(path), "/testdata/good")); s.Kind != kind {
					t.Errorf("sink %s is of kind %s, want %s", s.Name, s.Kind, kind)
				}
				fmt.Fprintf(&got, "# %s\n%s%s", s.Name, strict.Print(s.Config), inlineSecrets(reflect.ValueOf(s.Config).Elem(), ""))
			}
			compareGolden(t, strings.TrimSuffix(path, ".yaml")+".want", got.String())
		})
	}
}

// inlineSecrets returns the secrets that the configuration itself contains, a line each. No
// form of printing shows them.
func inlineSecrets(v reflect.Value, path string) (lines string) {
	if secret, ok := v.Interface().(value.Secret); ok {
		if text, ok := secret.Inline(); ok {
			return fmt.Sprintf("# %s is %q\n", path, text)
		}
		return ""
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, e := range strict.Entries(v) {
			lines += inlineSecrets(e.Value, strict.Join(path, e.Key))
		}
	case reflect.Slice:
		for i := range v.Len() {
			lines += inlineSecrets(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	}
	return lines
}

// compareGolden compares a text with a file; with -update it writes the file.
func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(readTestFile(t, path)), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
