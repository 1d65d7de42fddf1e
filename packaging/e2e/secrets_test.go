// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/packaging/canary"
)

// A gate is a receiver that requires a token. While it is closed, it refuses requests and sends
// their tokens back.
type gate struct {
	mu     sync.Mutex
	shut   bool
	tokens []string // of the last request
	open   int      // number of accepted requests
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens = []string{r.Header.Get("Authorization"), r.Header.Get("X-Api-Key")}
	if g.shut {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "%q is not %q\n", g.tokens, r.URL)
		return
	}
	g.open++
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
}

func (g *gate) recorded() (n int, tokens []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open, g.tokens
}

const (
	tokenFile = "/etc/genltestd.token"
	fileToken = "/etc/genltestd.file-token"
	keyFile   = "/etc/genltestd.key"
	cores     = "/var/lib/genltestd/core."
)

func writeSecret(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(path) })
}

// The secrets are systemd credentials, one of them encrypted, which the daemon's user cannot
// read from their files. A rotated credential is used after a restart, a rotated file at
// once. No secret appears in any output or in a core file.
func TestCredentialsReachOnlyTheReceiver(t *testing.T) {
	var all []canary.Canary
	plant := func(name string) string {
		c := canary.New(name)
		all = append(all, c)
		return c.Word()
	}
	token, key, inFile := plant("token"), plant("key"), plant("file")
	writeSecret(t, tokenFile, token)
	writeSecret(t, fileToken, inFile)
	command(t, "chown", "genltestd", fileToken)
	writeSecret(t, keyFile, key)
	command(t, "systemd-creds", "encrypt", "--name=key", keyFile, keyFile+".cred")
	t.Cleanup(func() { os.Remove(keyFile + ".cred") })

	hook, reader := &gate{shut: true}, &gate{}
	hookServer, readerServer := httptest.NewServer(hook), httptest.NewServer(reader)
	defer hookServer.Close()
	defer readerServer.Close()
	u := start(t, fmt.Sprintf(`log: {level: debug}
sinks:
- {name: hook, retry_max: 200ms, webhook: {url: %s/x, bearer: {credential: token}, headers: [{name: X-Api-Key, value: {credential: key}}]}}
- {name: reader, retry_max: 200ms, webhook: {url: %s/, bearer: {file: %s}}}
- {name: listen, socket: {mode: listen, address: "unix:///run/genltestd/events.sock"}}
`, hookServer.URL, readerServer.URL, fileToken),
		"LoadCredential=token:"+tokenFile+"\nLoadCredentialEncrypted=key:"+keyFile+".cred\nLimitCORE=infinity\nEnvironment=GOTRACEBACK=crash")
	dumpCores(t)
	n := 0
	deliver := func(wantHook, wantReader []string) {
		t.Helper()
		n++
		write(t, ping, fmt.Sprint("event ", n))
		for name, g := range map[string]struct {
			*gate
			want []string
		}{"hook": {hook, wantHook}, "reader": {reader, wantReader}} {
			u.eventually("the event at "+name, func() bool { open, _ := g.recorded(); return open == n })
			if _, tokens := g.recorded(); cmp.Diff(g.want, tokens) != "" {
				t.Errorf("%s: received another secret (-want +got):\n%s", name, cmp.Diff(g.want, tokens))
			}
		}
	}
	write(t, ping, "refused")
	u.eventually("a refusal", func() bool { return metric(`genltestd_sink_failures_total{sink="hook"}`) > 2 })
	finder := canary.NewFinder(all...)
	u.searchFor(finder)
	hook.set(false)
	u.eventually("the events that were refused", func() bool { open, _ := hook.recorded(); return open == 1 })
	n++
	deliver([]string{"Bearer " + token, key}, []string{"Bearer " + inFile, ""})

	rotated, fileRotated := plant("rotated"), plant("file, rotated")
	writeSecret(t, tokenFile, rotated)
	writeSecret(t, fileToken, fileRotated)
	command(t, "chown", "genltestd", fileToken)
	deliver([]string{"Bearer " + token, key}, []string{"Bearer " + fileRotated, ""})
	command(t, "systemctl", "restart", "genltestd")
	deliver([]string{"Bearer " + rotated, key}, []string{"Bearer " + fileRotated, ""})

	// A process with core dumps disabled can still access its own memory, and so bind the socket.
	u.eventually("every sink works", func() bool { code, _ := get("/readyz"); return code == http.StatusOK })
	if _, err := os.Stat("/run/genltestd/events.sock"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"process_open_fds", "process_max_fds", "process_resident_memory_bytes"} {
		if metric(name) <= 0 {
			t.Errorf("%s is %v", name, metric(name))
		}
	}
	command(t, "systemctl", "kill", "-s", "ABRT", "genltestd")
	u.eventually("a restart", func() bool { return u.property("NRestarts") == "1" && metric("genltestd_subscribed") == 1 })
	if found := coreFiles(t); found != nil {
		t.Errorf("there are core files: %v", found)
	}
	log := command(t, "journalctl", "_PID=1", "UNIT=genltestd.service", "--no-pager")
	if !strings.Contains(log, "code=killed, status=6/ABRT") {
		t.Errorf("systemd does not report that it was aborted without a core file:\n%s", log)
	}
	u.searchFor(canary.NewFinder(all...))
}

// dumpCores makes the kernel write core files to a directory where the daemon may write, and
// checks that it does. The directory exists since the start of the daemon.
func dumpCores(t *testing.T) {
	t.Helper()
	const pattern = "/proc/sys/kernel/core_pattern"
	before, err := os.ReadFile(pattern)
	if err != nil {
		t.Fatal(err)
	}
	write(t, pattern, cores+"%p")
	t.Cleanup(func() { write(t, pattern, string(before)) })
	_ = exec.Command("sh", "-c", "ulimit -c unlimited; kill -ABRT $$").Run() // aborts itself
	found := coreFiles(t)
	if found == nil {
		t.Fatal("the kernel writes no core files")
	}
	for _, path := range found {
		os.Remove(path)
	}
}

func coreFiles(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(cores + "*")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// searchFor searches all outputs for canaries.
func (u unit) searchFor(f *canary.Finder) {
	u.t.Helper()
	shown := map[string]string{
		"journal":          command(u.t, "journalctl", "-u", "genltestd", "--no-pager", "--all", "-o", "json"),
		"systemctl show":   command(u.t, "systemctl", "show", "genltestd"),
		"systemctl status": command(u.t, "systemctl", "status", "--no-pager", "--full", "genltestd"),
		"systemctl cat":    command(u.t, "systemctl", "cat", "genltestd"),
		"dead letters":     command(u.t, "genltestctl", "dlq", "list"),
		"arguments":        command(u.t, "sh", "-c", "cat /proc/[0-9]*/cmdline /proc/"+u.property("MainPID")+"/environ"),
		"files":            command(u.t, "sh", "-c", "find /var/lib/genltestd /run/genltestd /var/log/genltestd -type f -exec cat {} +"),
		"check":            command(u.t, "genltestd", "--check-config"),
		"configuration":    command(u.t, "genltestd", "--print-config"),
	}
	for _, page := range []string{"/metrics", "/readyz", "/healthz", "/config"} {
		_, shown[page] = get(page)
	}
	for where, text := range shown {
		for _, l := range f.Find([]byte(text)) {
			u.t.Errorf("%s: %v", where, l)
		}
	}
	if !strings.Contains(shown["/config"], "credential: token") || !strings.Contains(shown["check"], "cannot be read outside of the service") {
		u.t.Errorf("the configuration is shown as %s, and checked with %s", shown["/config"], shown["check"])
	}
}
