// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/reload"
	"github.com/genltestd/genltestd/daemon/sinks"
	"github.com/genltestd/genltestd/internal/poll"
)

var messageField = regexp.MustCompile(`"message":"([^"]*)"`)

// text is a configuration that a test may change.
type text struct {
	mu   sync.Mutex
	yaml string
}

func (s *text) Load() (*config.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return config.Parse("test.yaml", []byte(s.yaml), sinks.Kinds())
}

func (s *text) Fingerprint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.yaml
}

func (s *text) set(yaml string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.yaml = yaml
}

// reloadable is a daemon whose configuration a test may change.
type reloadable struct {
	fixture
	text *text
	dir  string
}

// startReloadable starts with yaml, in which DIR is a directory of the test.
func startReloadable(t *testing.T, yaml string) *reloadable {
	t.Helper()
	return startReloadableOn(t, newKernel(), yaml)
}

// startReloadableOn is startReloadable with a kernel.
func startReloadableOn(t *testing.T, k *fakeKernel, yaml string) *reloadable {
	t.Helper()
	r := &reloadable{text: &text{}, dir: t.TempDir()}
	r.text.set(r.withDirectory(yaml))
	cfg, err := r.text.Load()
	if err != nil {
		t.Fatal(err)
	}
	r.fixture = launch(t, cfg, Options{Kernel: k, Echo: prober{}, Source: r.text, Fingerprint: r.text.Fingerprint()})
	r.kernel = k
	return r
}

func (r *reloadable) withDirectory(yaml string) string { return strings.ReplaceAll(yaml, "DIR", r.dir) }

func (r *reloadable) reload(t *testing.T, yaml string) (*api.Reload, error) {
	t.Helper()
	r.text.set(r.withDirectory(yaml))
	return r.Reload(t.Context())
}

func (r *reloadable) mustReload(t *testing.T, yaml string) *api.Reload {
	t.Helper()
	done, err := r.reload(t, yaml)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// lines waits until a file of the test has n events, and returns their texts.
func (r *reloadable) lines(t *testing.T, file string, n int) (texts []string) {
	t.Helper()
	poll.Until(t, fmt.Sprint(n, " events in ", file), func() bool {
		all, _ := os.ReadFile(filepath.Join(r.dir, file)) // it may not exist yet
		texts = nil
		for _, m := range messageField.FindAllStringSubmatch(string(all), -1) {
			texts = append(texts, m[1])
		}
		return len(texts) >= n
	})
	return texts
}

func TestReloadKeepsUnchangedParts(t *testing.T) {
	const head = listenAnywhere + "sinks:\n- {name: same, file: {path: DIR/same}}\n"
	r := startReloadable(t, head+"- {name: gone, file: {path: DIR/gone}}\n"+
		"- {name: rules, file: {path: DIR/rules}}\n- {name: place, file: {path: DIR/place}}\n")
	r.kernel.event("one")
	for _, file := range []string{"same", "gone", "rules", "place"} {
		r.lines(t, file, 1)
	}
	same, rules, place := r.worker(t, "same"), r.worker(t, "rules"), r.worker(t, "place")
	parts := func() []any {
		return []any{same.Setup().Route.Sinks[0], same.Setup().Route.Rules, rules.Setup().Route.Sinks[0], place.Setup().Route.Rules}
	}
	before := parts()

	done := r.mustReload(t, head+"- {name: new, file: {path: DIR/new}}\n"+
		"- {name: rules, filter: 'message != \"two\"', file: {path: DIR/rules}}\n"+
		"- {name: place, batch_wait: 0, file: {path: DIR/other}}\n")
	want := &api.Reload{Added: []string{"new"}, Changed: []string{"rules", "place"}, Removed: []string{"gone"}, Unchanged: 1}
	if diff := cmp.Diff(want, done, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
	if same != r.worker(t, "same") || rules != r.worker(t, "rules") || place != r.worker(t, "place") {
		t.Error("a sink that is still configured has another worker")
	}
	if !slices.Equal(before, parts()) {
		t.Error("a part whose configuration has not changed was replaced")
	}
	r.kernel.event("two")
	r.kernel.event("three")
	for file, want := range map[string][]string{
		"same": {"one", "two", "three"}, "gone": {"one"}, "rules": {"one", "three"},
		"place": {"one"}, "other": {"two", "three"}, "new": {"one", "two", "three"},
	} {
		if diff := cmp.Diff(want, r.lines(t, file, len(want))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
	_, scrape := r.get(t, "/metrics")
	wantConsistent(t, scrape, 4)
	if strings.Contains(scrape, `sink="gone"`) {
		t.Error("the metrics show a sink that is not configured any more")
	}
}

// The sink does not start again with events that it has accepted.
func TestSinkThatIsAddedAgainContinuesAtItsCursor(t *testing.T) {
	const with = listenAnywhere + "sinks:\n- {name: other, file: {path: DIR/other}}\n- {name: back, file: {path: DIR/back}}\n"
	const without = listenAnywhere + "sinks:\n- {name: other, file: {path: DIR/other}}\n"
	r := startReloadable(t, with)
	r.kernel.event("one")
	r.lines(t, "back", 1)
	r.mustReload(t, without)
	r.kernel.event("two")
	r.lines(t, "other", 2)
	r.mustReload(t, with)
	r.kernel.event("three")
	if diff := cmp.Diff([]string{"one", "two", "three"}, r.lines(t, "back", 3)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestFailedReloadChangesNothing(t *testing.T) {
	const good = listenAnywhere + "sinks:\n- {name: out, file: {path: DIR/out}}\n"
	inUse, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inUse.Close()
	r := startReloadable(t, good)
	if err := os.MkdirAll(r.opts.Dirs.letters(""), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.opts.Dirs.letters("blocked"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before, config, cursors := r.worker(t, "out"), r.reloads.Config(), r.journal.Cursors()
	elsewhere := strings.Replace(good, "127.0.0.1:0", inUse.Addr().String(), 1)
	for name, c := range map[string]struct{ yaml, fault string }{
		"not YAML":          {"sinks: [", "test.yaml:1:8: "},
		"an unknown key":    {good + "- {name: new, fiel: {}}\n", `test.yaml:4:15: sinks[1].fiel: unknown key; did you mean "file"?`},
		"a filter":          {good + "- {name: new, filter: 'mesage', stdout: {}}\n", "test.yaml:4:24: sinks[1].filter: "},
		"a certificate":     {good + "- {name: new, syslog: {address: 'tls://h:1', tls: {ca: DIR/none.pem}}}\n", "sinks[1].syslog.tls.ca: "},
		"an address in use": {elsewhere + "- {name: new, stdout: {}}\n", "test.yaml:1:16: http.listen: listen tcp"},
		"a web configuration": {
			strings.Replace(good, "}", ", web_config: /absent.yaml}", 1),
			"http.web_config: open /absent.yaml: no such file or directory",
		},
		"the disk": {good + "- {name: new, stdout: {}}\n- {name: blocked, stdout: {}}\n", "sink blocked: "},
	} {
		if _, err := r.reload(t, c.yaml); err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v, want %q", name, err, c.fault)
		}
		if line := r.statusLine(); !strings.HasPrefix(line, "RELOAD FAILED: ") || strings.Contains(line, "\n") {
			t.Errorf("%s: status %q", name, line)
		}
		_, scrape := r.get(t, "/metrics")
		if !strings.Contains(scrape, "genltestd_config_last_reload_successful 0\n") {
			t.Errorf("%s: the metrics do not show the failure", name)
		}
		wantConsistent(t, scrape, 1)
	}
	if r.worker(t, "out") != before || r.reloads.Config() != config || len(r.pipelines.All()) != 1 {
		t.Error("something has changed")
	}
	if diff := cmp.Diff(cursors, r.journal.Cursors()); diff != "" {
		t.Errorf("cursors (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(r.opts.Dirs.letters("new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("dead letters of a sink that was never configured: %v", err)
	}
	r.kernel.event("one")
	r.lines(t, "out", 1)
	r.mustReload(t, good)
	if line := r.statusLine(); strings.Contains(line, "RELOAD") {
		t.Errorf("after a reload that succeeded: status %q", line)
	}
}

func TestReloadMovesTheHTTPServer(t *testing.T) {
	const sinks = "sinks:\n- {name: out, file: {path: DIR/out}}\n"
	r := startReloadable(t, listenAnywhere+sinks)
	old := r.web.Bound().Addr()
	_, port, err := net.SplitHostPort(old)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{":" + port, "127.0.0.1:" + port, "[::1]:0"} {
		r.mustReload(t, "http: {listen: '"+address+"'}\n"+sinks)
		if code, _ := r.get(t, "/healthz"); code != 200 {
			t.Errorf("%s: %d", address, code)
		}
	}
	r.mustReload(t, "http: {listen: ''}\n"+sinks)
	poll.Until(t, "the address is free", func() bool {
		c, err := net.Dial("tcp", old)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	r.mustReload(t, listenAnywhere+sinks)
	if code, _ := r.get(t, "/healthz"); code != 200 {
		t.Errorf("on again: %d", code)
	}
}

func TestReloadAppliesCommonSettings(t *testing.T) {
	const sinks = listenAnywhere + "sinks:\n- {name: out, file: {path: DIR/out}}\n"
	r := startReloadable(t, sinks)
	r.kernel.event("one")
	r.lines(t, "out", 1)
	done := r.mustReload(t, sinks+"event: {labels: {site: berlin}}\necho: {interval: 0}\n"+
		"journal: {path: DIR/elsewhere, max_bytes: 2MiB}\nreceiver: {buffer: 1MiB}\n")
	if len(done.Warnings) != 1 || !strings.Contains(done.Warnings[0], "test.yaml:6:17: journal.path: needs a restart") {
		t.Errorf("warnings %q", done.Warnings)
	}
	r.kernel.event("two")
	r.lines(t, "out", 2)
	all, err := os.ReadFile(filepath.Join(r.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(string(all), "\n"); strings.Contains(lines[0], "berlin") || !strings.Contains(lines[1], `"site":"berlin"`) {
		t.Errorf("labels:\n%s", all)
	}
	if got := r.kernel.Socket().BufferBytes(); got != 1<<20 {
		t.Errorf("the receive buffer has %d bytes", got)
	}
}

func TestChangedFilesAreReloaded(t *testing.T) {
	const head = "reload: {watch: 1s}\n" + listenAnywhere + "sinks:\n- {name: out, file: {path: DIR/out}}\n"
	r := startReloadable(t, head)
	r.text.set(r.withDirectory(head + "- {name: new, file: {path: DIR/new}}\n"))
	poll.Until(t, "the new sink", func() bool { return len(r.pipelines.All()) == 2 })
	r.text.set("sinks: [")
	poll.Until(t, "the fault", func() bool { return r.reloads.Fault() != nil })
	since := r.reloads.State().Since
	r.text.set(r.withDirectory(head))
	poll.Until(t, "the removal of the new sink", func() bool { return len(r.pipelines.All()) == 1 && r.reloads.Fault() == nil })
	if !r.reloads.State().Since.After(since) {
		t.Error("the configuration in use is as old as before")
	}
}

func TestReloadWhileStoppingIsRejected(t *testing.T) {
	r := startReloadable(t, listenAnywhere)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reload(t.Context()); !errors.Is(err, reload.ErrStopping) {
		t.Errorf("%v, want %v", err, reload.ErrStopping)
	}
}

func TestReloadAbortsTheAttemptOfAHangingSink(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	out := "{name: out, attempt_timeout: 1h, batch_wait: %d, webhook: {url: 'http://" + listener.Addr().String() + "/'}}"
	yaml := listenAnywhere + "shutdown: {drain: 1h}\nsinks:\n- " + out + "\n"
	r := startReloadable(t, strings.Replace(yaml, "%d", "0", 1))
	r.kernel.event("one")
	poll.Until(t, "an attempt", func() bool { return r.worker(t, "out").State().InFlight == 1 })
	r.text.set(strings.NewReplacer("%d", "1ms", "drain: 1h", "drain: 1ms").Replace(yaml))
	if _, err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if s := r.worker(t, "out").State(); s.Delivered != 0 || s.Events != 1 {
		t.Errorf("state %+v", s)
	}
}
