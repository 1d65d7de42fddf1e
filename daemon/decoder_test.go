// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/syncbuffer"
	"github.com/genltestd/genltestd/metrics/scrape"
)

// specOf returns a specification of alpha in which attribute 1 of the events has this type.
func specOf(name, of string) string {
	return "name: alpha\nattribute-sets:\n- {name: a, attributes: [{name: " + name + ", type: " + of + "}]}\n" +
		"operations: {list: [{name: note-ntf, value: 1, attribute-set: a, event: {}}]}\n"
}

func writeSpec(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "alpha.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func alphaConfig(spec, filter string) string {
	return listenAnywhere + "families: [{name: alpha, spec: " + spec + "}]\nsinks:\n- {name: out, filter: '" + filter + "', stdout: {}}\n"
}

func (r *reloadable) awaitOutput(t *testing.T, parts ...string) {
	t.Helper()
	for _, part := range parts {
		poll.Until(t, part, func() bool { return strings.Contains(r.stdout.String(), part) })
	}
}

// After a reload the rules and the decoder use the new specification, also for events that
// were received before.
func TestAReloadReplacesTheSpecification(t *testing.T) {
	r := startFamilies(t, alphaConfig(writeSpec(t, specOf("dev-name", "string")), `attributes.dev_name startsWith "eth"`))
	r.kernel.multicast("alpha", "eth0")
	r.kernel.multicast("alpha", "lo")
	r.awaitOutput(t, `"command":"note-ntf","attributes":{"dev-name":"eth0"}}`)
	r.mustReload(t, alphaConfig(writeSpec(t, specOf("label", "string")), `attributes.label == "eth1"`))
	r.kernel.multicast("alpha", "eth0")
	r.kernel.multicast("alpha", "eth1")
	r.awaitOutput(t, `"attributes":{"label":"eth1"}}`)
	r.count(t, "alpha", 2)
	_, err := r.reload(t, alphaConfig(writeSpec(t, specOf("label", "string")), `attributes.dev_name == "eth1"`))
	if err == nil || !strings.Contains(err.Error(), "unknown attribute dev_name of attributes; write one of label") {
		t.Errorf("a filter by an attribute of the old specification: %v", err)
	}
}

func TestAMessageThatDoesNotMatchItsSpecificationIsDeliveredLoggedAndCounted(t *testing.T) {
	k, log := newKernel(), &syncbuffer.Buffer{}
	k.register("alpha", 40, "a1")
	cfg := parse(t, alphaConfig(writeSpec(t, specOf("n", "u32")), `kind == "event"`))
	r := &reloadable{fixture: launch(t, cfg, Options{Kernel: k, Echo: prober{}, Log: slog.New(slog.NewTextHandler(log, nil))})}
	const series = `genltestd_events_undecoded_total{family="alpha"}`
	_, page := r.get(t, "/metrics")
	if n, ok := scrape.Sum(page, series); !ok || n != 0 {
		t.Errorf("at first %s is %v", series, n)
	}
	for range 3 {
		k.multicast("alpha", "\x1b[2J")
	}
	r.count(t, "alpha", 3)
	r.awaitOutput(t, `"attributes":{"n":"1b5b324a00"},"error":"n: 5 bytes are not of type u32","raw":"`)
	_, page = r.get(t, "/metrics")
	if n, _ := scrape.Sum(page, series); n != 3 {
		t.Errorf("%s is %v", series, n)
	}
	const line = "a message does not match the specification of its family; the event contains its bytes"
	if strings.Count(log.String(), line) != 1 || !strings.Contains(log.String(), "family=alpha seq=1 error=") {
		t.Errorf("the log is\n%s", log)
	}
	if code, ready := r.get(t, "/readyz"); code != 200 {
		t.Errorf("/readyz: %d %s", code, ready)
	}
}
