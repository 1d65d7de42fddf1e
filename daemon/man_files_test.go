// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sinks"
	"github.com/genltestd/genltestd/internal/poll"
)

var fileEntry = regexp.MustCompile(`(?m)^\.It Pa (/\S+(?: , /\S+)*)$`)

// manualFiles returns the paths in the section FILES of the manual page; some are patterns.
func manualFiles(t *testing.T) (paths []string) {
	t.Helper()
	page, err := os.ReadFile("../packaging/man/genltestd.8")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n.Sh FILES\n")
	section, _, _ = strings.Cut(section, "\n.Sh ")
	for _, m := range fileEntry.FindAllStringSubmatch(strings.ReplaceAll(section, `\-`, "-"), -1) {
		paths = append(paths, strings.Split(m[1], " , ")...)
	}
	return paths
}

// An operator who finds a file of the daemon reads its purpose in the manual. The daemon of
// this test finds each of its files damaged, so it also leaves the damaged files.
func TestManualNamesEveryFile(t *testing.T) {
	dirs := Dirs{State: t.TempDir(), Runtime: t.TempDir()}
	var left []string
	for _, area := range dirs.areas() {
		left = append(left, area.path)
		if !area.within && area.path != dirs.controlSocket() {
			if err := os.WriteFile(area.path, []byte("damaged\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dirs.Runtime, "ethtool.inbox"), []byte("damaged\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const families = "families: [ethtool, genltest]\n"
	archive := filepath.Join(t.TempDir(), "events.jsonl")
	cfg, err := config.Parse("test.yaml", []byte(listenAnywhere+families+"sinks: [{name: archive, file: {path: "+archive+"}}]"), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	kernel := newKernel()
	kernel.register("ethtool", 40, "monitor")
	f := launch(t, cfg, Options{Kernel: kernel, Echo: prober{}, Dirs: dirs})
	kernel.event("x")
	poll.Until(t, "the file of the sink", func() bool { text, _ := os.ReadFile(archive); return len(text) > 0 })
	f.ready(t)
	damaged := 0
	for _, dir := range []string{dirs.State, dirs.Runtime} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			left = append(left, filepath.Join(dir, e.Name()))
			if strings.HasSuffix(e.Name(), ".damaged") {
				damaged++
			}
		}
	}
	if damaged < 4 {
		t.Errorf("%d files were set aside, want more: %s", damaged, left)
	}
	documented := manualFiles(t)
	for _, path := range left {
		path = strings.NewReplacer(dirs.State, "/var/lib/genltestd", dirs.Runtime, "/run/genltestd").Replace(path)
		if !slices.ContainsFunc(documented, func(pattern string) bool { ok, _ := filepath.Match(pattern, path); return ok }) {
			t.Errorf("the section FILES of genltestd(8) lacks %s", path)
		}
	}
}
