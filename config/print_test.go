// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// The output means the same as the input, except for the secrets, which it masks.
func TestPrintedConfigurationIsEquivalent(t *testing.T) {
	texts := map[string]string{"reference": string(Reference(sinks.Kinds()))}
	for i, text := range Examples(sinks.Kinds()) {
		texts[fmt.Sprintf("examples %d", i)] = string(text)
	}
	for _, path := range configurations(t, "good") {
		texts[nameOf(path)] = string(readTestFile(t, path))
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			c, err := Parse(name, []byte(text), sinks.Kinds())
			if err != nil {
				t.Fatal(err)
			}
			checkPrint(t, c)
		})
	}
}

func checkPrint(t *testing.T, c *Config) {
	t.Helper()
	printed := printedText(t, c)
	got, err := Parse("printed", []byte(printed), sinks.Kinds())
	for line := range strings.Lines(fmt.Sprint(err)) {
		if err != nil && !strings.Contains(line, value.Mask+" is printed in place of a secret") {
			t.Errorf("%s\nin\n%s", line, printed)
		}
	}
	sameMasked := cmp.Comparer(func(a, b value.Secret) bool { return a.YAML("") == b.YAML("") })
	if diff := cmp.Diff(c, got, ignoreSource, sameMasked); diff != "" {
		t.Errorf("read again (-want +got):\n%s\nprinted:\n%s", diff, printed)
	}
}

func printedText(t *testing.T, c *Config) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The output is compared exactly, because people compare it with diff.
func TestPrint(t *testing.T) {
	c, err := Parse("in.yaml", readTestFile(t, "testdata/print/in.yaml"), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	got := printedText(t, c)
	if strings.Contains(got, "canary") {
		t.Error("a secret is printed")
	}
	compareGolden(t, "testdata/print/out.yaml", got)
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, fs.ErrPermission }

func TestPrintReportsWriteErrors(t *testing.T) {
	if err := Default(sinks.Kinds()).Print(fullDisk{}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

func TestHash(t *testing.T) {
	const text = `sinks: [{name: a, webhook: {url: "https://a.example.org/", bearer: canary}}]`
	hash := func(text string) string {
		t.Helper()
		c, err := Parse("x", []byte(text), sinks.Kinds())
		if err != nil {
			t.Fatal(err)
		}
		return c.Hash()
	}
	want := hash(text)
	if len(want) != 16 || strings.Trim(want, "0123456789abcdef") != "" {
		t.Errorf("got %q, want 16 hexadecimal digits", want)
	}
	for _, same := range []string{
		"# A comment\n" + text, strings.ReplaceAll(text, ", ", ",   "), "log: {level: info}\n" + text,
		strings.ReplaceAll(text, "canary", "another"),
	} {
		if got := hash(same); got != want {
			t.Errorf("another hash for %s", same)
		}
	}
	for _, other := range []string{
		"log: {level: warn}\n" + text, strings.ReplaceAll(text, "name: a", "name: b"),
		strings.ReplaceAll(text, "bearer: canary", "bearer: {env: A}"),
	} {
		if got := hash(other); got == want {
			t.Errorf("the same hash for %s", other)
		}
	}
}
