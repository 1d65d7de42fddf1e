// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/tmpfs"
)

// takeAddress accepts connections on the address of the daemon, and closes them.
func takeAddress(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return l
}

// fill writes a file until its file system is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// awaitFiring causes events until all alerts fire, and checks that each names its host and its runbook.
func (p prometheus) awaitFiring(t *testing.T, cause func(), alerts ...string) {
	t.Helper()
	poll.UntilNil(t, "the alerts fire", func() error {
		cause()
		firing := p.firing(t)
		for _, name := range alerts {
			a, ok := firing[name]
			if !ok {
				return fmt.Errorf("%s does not fire, but %v", name, firing)
			}
			text := a.Annotations["summary"] + a.Annotations["description"]
			if !strings.Contains(text, "127.0.0.1:9941") || !strings.Contains(text, a.Labels["sink"]) || strings.ContainsAny(text, "<>{}") ||
				!strings.HasSuffix(a.Annotations["runbook_url"], "/"+a.Labels["alertname"]+".md") {
				t.Fatalf("%s: %v", name, a.Annotations)
			}
		}
		return nil
	})
}

func (p prometheus) awaitResolved(t *testing.T, cause func(), alerts ...string) {
	t.Helper()
	poll.UntilNil(t, "the alerts resolve", func() error {
		cause()
		firing := p.firing(t)
		for _, name := range alerts {
			if _, ok := firing[name]; ok {
				return fmt.Errorf("%s fires", name)
			}
		}
		return nil
	})
}

// Faults begin together, and end together. The durations of the rules are divided by 300.
func TestHostAlertsFireAndResolve(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		ctl := filepath.Join(t.TempDir(), "genltestctl")
		build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", ctl, "../../cmd/genltestctl")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
		disk := tmpfs.Mount(t, "size=8m")
		ballast := filepath.Join(disk, "ballast")
		refuses, fails := newDestination(t, http.StatusBadRequest), newDestination(t, http.StatusServiceUnavailable)
		hangs := newDestination(t, hang)
		load, u := newLoad(t), newUnit(t)
		control := filepath.Join(u.runtime, "control.sock")
		good := "http: {listen: \"127.0.0.1:9941\"}\njournal: {path: " + disk + "/journal, max_bytes: 4MiB}\nsinks:\n- " +
			refuses.sink("refuses") + "\n- " + fails.sink("fails") + "\n- " + hangs.sink("hangs") + "\n"
		u.write(t, "families: [{name: ethtool}, {name: genltest}]\n"+good)
		if err := os.Mkdir(control, 0o700); err != nil { // in the place of the socket
			t.Fatal(err)
		}
		idle := func() {}
		events := func() {
			if err := load.settings(20); err != nil {
				t.Fatal(err)
			}
		}

		taken := takeAddress(t, "127.0.0.1:9941")
		p := startPrometheus(t, 300)
		u.start(t)
		u.awaitReady(t)
		p.awaitFiring(t, idle, "GenltestdDown")
		taken.Close()
		p.awaitResolved(t, idle, "GenltestdDown")

		events()
		p.awaitFiring(t, idle, "GenltestdFamilyAbsent genltest", "GenltestdListenerDown control", "GenltestdSinkFailing fails",
			"GenltestdSinkFailing hangs", "GenltestdSinkRefusing refuses", "GenltestdDeadLetters refuses")
		fill(t, ballast)
		u.write(t, "sinks: [{name: wrong, webhook: {url: x}}]\n")
		u.signal(t, syscall.SIGHUP)
		p.awaitFiring(t, events, "GenltestdJournalNotAccepting", "GenltestdReloadFailed")

		if err := errors.Join(os.Remove(ballast), os.Remove(control)); err != nil {
			t.Fatal(err)
		}
		for _, d := range []*destination{refuses, fails, hangs} {
			d.status.Store(http.StatusOK)
		}
		u.write(t, "families: [{name: ethtool}]\n"+good)
		u.signal(t, syscall.SIGHUP)
		p.awaitResolved(t, events, "GenltestdListenerDown control", "GenltestdJournalNotAccepting")
		// An alert also resolves while a scrape fails, so the socket may not be bound yet.
		poll.UntilNil(t, "the dead letters are dropped", func() error {
			out, err := exec.Command(ctl, "--socket", control, "dlq", "drop", "refuses", "--all", "--yes").CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
		p.awaitResolved(t, events, "GenltestdFamilyAbsent genltest", "GenltestdSinkFailing fails", "GenltestdSinkFailing hangs",
			"GenltestdSinkRefusing refuses", "GenltestdDeadLetters refuses", "GenltestdReloadFailed")
	})
}
