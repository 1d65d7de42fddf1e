// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// startBlocked starts a daemon with the sinks good and bad. The cursor of bad cannot be
// created until unblock is called.
func startBlocked(t *testing.T) (r *reloadable, unblock func()) {
	t.Helper()
	r = &reloadable{text: &text{}, dir: t.TempDir()}
	const entries = "- {name: bad, overflow: block, file: {path: DIR/bad}}\n- {name: good, file: {path: DIR/good}}\n"
	r.text.set(r.withDirectory(listenAnywhere + "sinks:\n" + entries))
	cfg, err := r.text.Load()
	if err != nil {
		t.Fatal(err)
	}
	dirs := Dirs{State: t.TempDir(), Runtime: t.TempDir()}
	cursor := filepath.Join(dirs.State, "journal", "cursor-bad")
	k := newKernel()
	k.Opening = func() { // after the journal is opened, before the sinks are
		if err := os.MkdirAll(filepath.Join(cursor, "occupied"), 0o700); err != nil {
			t.Error(err)
		}
	}
	r.fixture = launch(t, cfg, Options{Kernel: k, Echo: prober{}, Source: r.text, Fingerprint: r.text.Fingerprint(), Dirs: dirs})
	r.kernel = k
	return r, func() {
		if err := os.RemoveAll(cursor); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSinkThatOpensLateReceivesEveryEvent(t *testing.T) {
	r, unblock := startBlocked(t)
	for _, text := range []string{"one", "two"} {
		r.kernel.event(text)
	}
	r.lines(t, "good", 2)
	code, body := r.get(t, "/readyz")
	if code != http.StatusServiceUnavailable || !strings.Contains(body, "sink bad: ") || !strings.Contains(body, "cursor-bad") {
		t.Errorf("readyz: %d %s", code, body)
	}
	if _, body := r.get(t, "/metrics"); !strings.Contains(body, `genltestd_sink_healthy{sink="bad"} 0`) {
		t.Error("the metrics do not show the sink")
	}
	if line := r.statusLine(); !strings.Contains(line, "2 sinks, 1 failing") {
		t.Errorf("status %q", line)
	}
	unblock()
	if diff := cmp.Diff([]string{"one", "two"}, r.lines(t, "bad", 2)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	r.ready(t)
	if w := r.pipelines.All(); len(w) != 2 || w[0].Name != "bad" {
		t.Errorf("the workers are not in the order of the configuration")
	}
}

func TestUnopenedSinkDoesNotPreventReloads(t *testing.T) {
	r, unblock := startBlocked(t)
	r.kernel.event("one")
	r.lines(t, "good", 1)
	const bad = "- {name: bad, file: {path: DIR/elsewhere}}\n"
	done := r.mustReload(t, listenAnywhere+"sinks:\n"+bad)
	warned := len(done.Warnings) == 1 && strings.Contains(done.Warnings[0], "sink bad: cannot be opened yet")
	if diff := cmp.Diff([]string{"good"}, done.Removed); diff != "" || !warned {
		t.Errorf("outcome %+v", done)
	}
	unblock()
	if diff := cmp.Diff([]string{"one"}, r.lines(t, "elsewhere", 1)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestUnopenedSinkCanBeRemoved(t *testing.T) {
	r, unblock := startBlocked(t)
	r.mustReload(t, listenAnywhere+"sinks:\n- {name: good, file: {path: DIR/good}}\n")
	r.kernel.event("one")
	r.lines(t, "good", 1)
	r.ready(t)
	unblock()
	r.mustReload(t, listenAnywhere+"sinks:\n- {name: bad, file: {path: DIR/bad}}\n")
	if diff := cmp.Diff([]string{"one"}, r.lines(t, "bad", 1)); diff != "" {
		t.Errorf("the cursor was not kept (-want +got):\n%s", diff)
	}
}
