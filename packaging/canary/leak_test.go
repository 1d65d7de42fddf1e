// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// A leakSearch searches outputs for canaries.
type leakSearch struct {
	*testing.T
	canaries *Finder
	control  *Finder
}

// clean fails for each canary in the text. cleanWithControl also requires the control in it: if
// the control is missing, the test searched the wrong text.
func (e *leakSearch) clean(where string, text []byte) {
	e.Helper()
	for _, l := range e.canaries.Find(text) {
		e.Errorf("%s: %v", where, l)
	}
}

func (e *leakSearch) cleanWithControl(where string, text []byte) {
	e.Helper()
	e.clean(where, text)
	if e.control.Find(text) == nil {
		e.Errorf("%s: the control is not found in %d bytes: %.500q", where, len(text), text)
	}
}

// Every secret of the configuration is a canary, in each possible source. Every sink fails in all
// ways that we know, and the receivers repeat as much as they can. The outputs and files of
// the daemon and of its client must not contain a canary.
func TestNoSecretLeaks(t *testing.T) {
	w := newSetup(t)
	w.fillJournal(6)
	w.echoing()
	w.silent()
	w.proxied()
	w.unusable()
	w.others()
	w.natsSinks()
	w.kafkaSinks()
	w.mqttSinks()
	w.redisSinks()
	w.amqpSinks()
	w.otlpSinks()
	w.withTLS()
	shared := w.sharing()
	noisyServers := w.noisyServers()
	for _, line := range misplaced {
		w.canaries[line] = New(line)
	}
	w.wantEveryField(t)
	e := &leakSearch{t, w.finder(), NewFinder(w.control)}
	d := w.run()
	d.waitForFailures(append(noisyServers, "out")...)
	d.waitForProgress()
	e.wantLibraries(d)
	e.wantSharing(d, shared)
	t.Logf("%d sinks, %d servers, %d canaries", len(w.sinks), len(w.servers), len(w.canaries))

	e.pages(d)
	e.client(d)
	e.commands(w)
	e.reloads(d)
	e.cleanWithControl("arguments", d.proc(t, "cmdline"))
	if environ := d.proc(t, "environ"); environ != nil {
		e.environment(environ)
	}
	d.stop()
	e.cleanWithControl("standard output", d.stdout.Bytes())
	e.cleanWithControl("log", d.stderr.Bytes())
	if notices := d.notices.Bytes(); !strings.Contains(string(notices), "STATUS=") {
		t.Errorf("the service manager received %q", notices)
	}
	e.clean("service manager", d.notices.Bytes())
	e.cleanWithControl("state directory", files(t, w.path("state")))
	e.clean("runtime directory", files(t, w.path("run")))
}

func (e *leakSearch) pages(d *running) {
	for _, path := range []string{"/metrics", "/readyz", "/config"} {
		e.cleanWithControl(path, d.page("GET", path))
	}
	for _, path := range []string{"/", "/healthz", "/nothing", "/debug/pprof/cmdline", "/config?x"} {
		e.clean(path, d.page("GET", path))
		e.clean(path, d.page("POST", path))
	}
}

func (e *leakSearch) client(d *running) {
	e.cleanWithControl("dlq list", d.ctl("dlq", "list"))
	var id string
	for _, s := range d.w.sinks {
		sink := s.(map[string]any)["name"].(string)
		list := d.ctl("dlq", "list", sink, "-o", "json")
		e.clean("dlq list "+sink, list)
		first, _, _ := strings.Cut(string(list), "\n")
		var letter struct{ ID string }
		if json.Unmarshal([]byte(first), &letter) == nil {
			id = letter.ID
			e.clean("dlq show "+sink, d.ctl("dlq", "show", sink, id))
		}
	}
	e.cleanWithControl("dlq show", d.ctl("dlq", "show", "control-letters", id))
	for _, args := range [][]string{
		{"list", "status-400-0"},
		{"replay", "status-400-0", "--all"},
		{"drop", "status-422-1", "--all", "--yes"},
		{"show", "none", id},
		{"replay", "none", "x"},
	} {
		e.clean(fmt.Sprint("dlq ", args), d.ctl(append([]string{"dlq"}, args...)...))
	}
}

// commands checks the outputs about the configuration, and about configurations with a misplaced
// secret.
func (e *leakSearch) commands(w *setup) {
	path := w.path("genltestd.yaml")
	tests := w.write("tests: [{sink: out, event: {message: x}, expect: delivered}]\n", "tests.yaml")
	for _, args := range [][]string{{"--check-config"}, {"--print-config"}, {"--test-rules", tests}, {"--test-rules", path}} {
		e.cleanWithControl(args[0], w.program("genltestd", append(args, "--config", path)...))
	}
	e.clean("--print-default-config", w.program("genltestd", "--print-default-config"))
	for i, line := range misplaced {
		path := w.write(misplacedConfig(line), fmt.Sprintf("misplaced%d.yaml", i))
		for _, args := range [][]string{{"--check-config"}, {"--print-config"}, {"--test-rules", tests}, nil} {
			if out := w.program("genltestd", append(args, "--config", path)...); args != nil || strings.HasPrefix(string(out), path) {
				e.cleanWithControl(fmt.Sprint(args, " with ", line), out)
			} else {
				e.Errorf("%s is a valid configuration", line)
			}
		}
	}
}

// reloads reloads configurations with a misplaced secret, the current configuration, and a valid
// one.
func (e *leakSearch) reloads(d *running) {
	for _, line := range misplaced {
		d.w.write(misplacedConfig(line), "genltestd.yaml")
		e.cleanWithControl("reload with "+line, d.ctl("reload"))
	}
	d.w.configFile()
	e.cleanWithControl("reload", d.ctl("reload"))
	d.w.sinks = []any{d.w.sinks[0]}
	d.w.configFile()
	if out := d.ctl("reload"); !strings.Contains(string(out), "reloaded: ") {
		e.Errorf("a valid configuration is not loaded: %s", out)
	} else {
		e.cleanWithControl("reload", out) // names the removed sinks
	}
}

// misplacedConfig returns a configuration that contains a line and its canary.
func misplacedConfig(line string) string {
	return "sinks:\n- name: hook\n  webhook:\n    url: https://example.org/\n    " +
		strings.ReplaceAll(line, "CANARY", New(line).Word()) + "\n"
}

// misplaced are mistakes that people make with a secret.
var misplaced = []string{
	"bearer: *CANARY", "bearer: &CANARY", "bearer: !CANARY", "bearer: !CANARY x", "bearer: @CANARY", "bearer: %CANARY", "bearer: `CANARY`",
	`bearer: "CANARY`, `bearer: "CANARY" CANARY`, "bearer: 'CANARY\\' CANARY'", "bearer: CANARY: CANARY", "bearer: |CANARY",
	"bearer: >CANARY", "bearer: - CANARY", "bearer: ? CANARY",
	"bearer: {CANARY}", "bearer: {CANARY: x}", "bearer: {file: /a, CANARY}", "bearer: {CANARY, CANARY}",
	"bearer: {<<: CANARY}", "bearer: {? [CANARY] : x}", "bearer: {!CANARY x: y}",
	"bearer: [CANARY]", "bearer: [*CANARY]", "bearer: {CANARY", "bearer: [CANARY", "bearer: }CANARY",
	"bearer: !!binary CANARY", "bearer: !!CANARY x",
	"bearer: {file: CANARY}", "bearer: {file: /a, file: CANARY}", `bearer: {file: "/\u0001CANARY"}`, "bearer: {env: $CANARY}",
	"bearer: {env: 5CANARY}", "bearer: {credential: ../CANARY}", "bearer: {credential: CANARY/CANARY}",
	"bearer: {env: {CANARY: 1}}", "bearer: {env: [CANARY]}", "bearer: {env: *CANARY}", "bearer: {env: !CANARY x}",
	"bearer: {env: &CANARY}", "bearer: {file: /a, env: CANARY}",
	"basic: user:CANARY", "basic: {user: 'u:CANARY', password: x}", "basic: {password: CANARY}", "basic: [user, CANARY]",
	"basic: {user: u, password: [CANARY]}", "basic: {user: u, passwd: CANARY}",
	"headers: 'X-Api-Key: CANARY'", "headers: ['X-Api-Key: CANARY']", "headers: {X-Api-Key: CANARY}",
	"headers: [{X-Api-Key: CANARY}]", "headers: [{name: 'X-Api-Key: CANARY', value: x}]",
	"headers: [{name: X-Api-Key, value: [CANARY]}]",
	"signing_secrets: whsec_CANARY", "signing_secrets: {whsec_CANARY}", "signing_secrets: [[CANARY]]", "signing_secrets: [{CANARY: }]",
	"proxy: [http://u:CANARY@host]", "proxy: {http://u:CANARY@host: }", "tls: CANARY", "tls: {key: CANARY}",
}

// environment checks the environment of the daemon. It must contain the canaries that the
// operator passes in variables, and no other canary.
func (e *leakSearch) environment(text []byte) {
	leaks := e.canaries.Find(text)
	for _, l := range leaks {
		if !strings.HasSuffix(l.Name, " by env") {
			e.Errorf("environment: %v", l)
		}
	}
	if leaks == nil {
		e.Error("environment: the expected variables are missing")
	}
}

// files returns the names and contents of all files below dir.
func files(t *testing.T, dir string) (all []byte) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		n++
		text, err := os.ReadFile(path)
		all = append(append(append(all, path[len(dir):]...), '\n'), text...)
		return err
	})
	if err != nil || n == 0 {
		t.Fatalf("%s: %d files, %v", dir, n, err)
	}
	return all
}

// wantEveryField fails for each secret without a canary.
func (w *setup) wantEveryField(t *testing.T) {
	t.Helper()
	fields := secretKeys()
	if len(fields) < 6 {
		t.Fatalf("the secrets of the configuration are not found: %q", fields)
	}
	for _, field := range fields {
		for _, source := range secretSources {
			if !w.fieldsWithCanary[field+" by "+source] {
				t.Errorf("%s is a secret, but no test plants a canary there in source %s", field, source)
			}
		}
	}
}

// secretKeys returns the paths of all keys that are secrets, or lists of secrets.
func secretKeys() (keys []string) {
	for _, k := range config.Describe(sinks.Kinds()) {
		switch k.Type {
		case "secret":
			keys = append(keys, k.Path)
		case "list of secrets":
			keys = append(keys, k.Path+"[]")
		}
	}
	return keys
}
