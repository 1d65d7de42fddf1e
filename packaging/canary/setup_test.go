// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/internal/kernelmsg"
)

// A setup is a configuration with canaries, and the other files of its daemon.
type setup struct {
	t                *testing.T
	dir              string
	bin              string
	env              []string
	sinks            []any
	servers          []*server
	canaries         map[string]Canary
	fieldsWithCanary map[string]bool // FIELD by SOURCE
	count            int             // number of texts
	hooks            int
	recentTexts      []string // texts of the most recently planted canaries
	control          Canary   // a text that is not secret: every search must find it
}

// secretSources are the possible sources of a secret.
var secretSources = []string{"inline", "file", "credential", "env"}

func newSetup(t *testing.T) *setup {
	t.Helper()
	control := New("control")
	w := &setup{
		t: t, dir: filepath.Join(t.TempDir(), control.Word()), control: control,
		canaries: make(map[string]Canary), fieldsWithCanary: make(map[string]bool),
	}
	w.bin = filepath.Join(w.dir, "bin")
	for _, name := range []string{"state", "run", "credentials", "secrets"} {
		if err := os.MkdirAll(filepath.Join(w.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", w.bin+"/",
		"../../cmd/genltestd", "../../cmd/genltestctl")
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	w.env = append(os.Environ(), "STATE_DIRECTORY="+w.path("state"), "RUNTIME_DIRECTORY="+w.path("run"),
		"CREDENTIALS_DIRECTORY="+w.path("credentials"), "NOTIFY_SOCKET=", "JOURNAL_STREAM=")
	return w
}

func (w *setup) path(names ...string) string {
	return filepath.Join(append([]string{w.dir}, names...)...)
}

// addCanary returns the canary for a field, or a part of it, in a source.
func (w *setup) addCanary(field, part, source string) Canary {
	w.fieldsWithCanary[field+" by "+source] = true
	name := strings.TrimSuffix(field+" "+part, " ") + " by " + source
	w.canaries[name] = New(name)
	w.recentTexts = append(w.recentTexts, w.canaries[name].Text())
	return w.canaries[name]
}

// secretValue stores a text in a source, and returns its value in the configuration.
func (w *setup) secretValue(source, text string) any {
	w.count++
	name := fmt.Sprintf("S%d", w.count)
	switch source {
	case "file":
		return map[string]string{source: w.write(text, "secrets", name)}
	case "credential":
		w.write(text, "credentials", name)
		return map[string]string{source: name}
	case "env":
		w.env = append(w.env, name+"="+text)
		return map[string]string{source: name}
	}
	return text
}

func (w *setup) write(text string, names ...string) string {
	path := w.path(names...)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// sink adds a sink of a kind, with a short retry interval.
func (w *setup) sink(name, kind string, options map[string]any, more ...string) {
	s := map[string]any{"name": name, kind: options, "retry_min": "50ms", "retry_max": "5s", "attempt_timeout": "3s"}
	for i := 0; i+1 < len(more); i += 2 {
		s[more[i]] = more[i+1]
	}
	w.sinks = append(w.sinks, s)
}

// configFile writes the configuration as JSON, which is valid YAML.
func (w *setup) configFile() string {
	text, err := json.MarshalIndent(map[string]any{
		"http": map[string]string{"listen": "127.0.0.1:0"}, "log": map[string]string{"level": "debug"},
		"shutdown": map[string]string{"drain": "0"}, "sinks": w.sinks,
	}, "", " ")
	if err != nil {
		w.t.Fatal(err)
	}
	return w.write(string(text), "genltestd.yaml")
}

// fillJournal writes events for the sinks, because the kernel module is not loaded.
func (w *setup) fillJournal(events int) {
	j, err := journal.Open(w.path("state", "journal"), journal.Options{MaxBytes: 1 << 30, SyncInterval: time.Second})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range events {
		if err := j.Append(nil, time.Now(), [][]byte{kernelmsg.Event(fmt.Sprintf("event %d: %s", i, w.control.Word()))}); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// finder returns a Finder for all planted canaries.
func (w *setup) finder() *Finder {
	var all []Canary
	for _, c := range w.canaries {
		all = append(all, c)
	}
	return NewFinder(all...)
}
