// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/sinks"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// withoutConfiguration are the pages that need no example of a configuration.
var withoutConfiguration = []string{
	"README.md", "benchmarks.md", "canary.md", "genltestctl.md", "health.md", "messages.md", "metrics.md",
	"observability.md", "status-page.md", "troubleshooting.md",
}

// Every configuration in the documentation loads. Each kind of sink has a page with an
// example of that kind.
func TestDocumentedConfigurationsLoad(t *testing.T) {
	kinds := make(map[string]bool)
	pages := append(glob(t, "../docs/sinks/*.md", 1), glob(t, "../docs/*.md", len(withoutConfiguration)+1)...)
	for _, page := range append(pages, "../README.md") {
		blocks := yamlBlock.FindAllStringSubmatch(string(readTestFile(t, page)), -1)
		if len(blocks) == 0 && !slices.Contains(withoutConfiguration, strings.TrimPrefix(page, "../docs/")) {
			t.Errorf("%s has no configuration", page)
		}
		for _, block := range blocks {
			c, err := Parse(page, []byte(block[1]), sinks.Kinds())
			if err != nil {
				t.Errorf("%v\nin\n%s", err, block[1])
				continue
			}
			for _, s := range c.Sinks {
				if strings.TrimSuffix(filepath.Base(page), ".md") == s.Kind {
					kinds[s.Kind] = true
				}
			}
		}
	}
	for _, kind := range kindNames() {
		if !kinds[kind] {
			t.Errorf("docs/sinks/%s.md does not exist, or has no configuration of that kind", kind)
		}
	}
	if readme, err := os.ReadFile("../README.md"); err == nil {
		for _, kind := range kindNames() {
			if !strings.Contains(string(readme), "docs/sinks/"+kind+".md") {
				t.Errorf("README.md has no link to docs/sinks/%s.md", kind)
			}
		}
	}
}

func kindNames() (names []string) {
	for _, kind := range sinks.Kinds() {
		names = append(names, kind.Name)
	}
	return names
}
