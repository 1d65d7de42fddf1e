// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// axeSource returns the program of axe-core, as the script run has installed it.
func axeSource(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(cache, "genltestd/browser/node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Fatalf("%v; run packaging/browser/run", err)
	}
	return string(source)
}

// checkAccessible checks that axe-core, in a context of its own, finds no violation in the page.
func (b *tab) checkAccessible() {
	b.Helper()
	b.call("Emulation.setScriptExecutionDisabled", object{"value": false}, nil) // does not run the page's own script
	var tree struct {
		FrameTree struct{ Frame struct{ ID string } }
	}
	b.call("Page.getFrameTree", nil, &tree)
	var world struct{ ExecutionContextID int }
	b.call("Page.createIsolatedWorld", object{"frameId": tree.FrameTree.Frame.ID}, &world)
	params := object{"contextId": world.ExecutionContextID, "awaitPromise": true}
	b.evaluate(axeSource(b.T)+"; 0", nil, params)
	var result struct {
		Passes     int
		Violations []string
	}
	b.evaluate(`axe.run({preload: false}).then((r) => ({
		passes: r.passes.length,
		violations: r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html + ": " + n.failureSummary)),
	}))`, &result, params)
	if len(result.Violations) > 0 || result.Passes < 10 {
		b.Errorf("axe-core: %d rules pass, violations: %s", result.Passes, strings.Join(result.Violations, "\n"))
	}
}
