// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
)

func TestSystemctlReloadReportsTheOutcome(t *testing.T) {
	u := start(t, fileSink, "")
	second := eventFile + ".second"
	t.Cleanup(func() { os.Remove(second) })
	since := metric("genltestd_config_last_reload_success_timestamp_seconds")

	write(t, configFile, fileSink+"- {name: second, file: {path: "+second+"}}\n")
	command(t, "systemctl", "reload", "genltestd")
	write(t, ping, "after the reload")
	u.eventually("the event in the new file", func() bool {
		text, _ := os.ReadFile(second)
		return strings.Contains(string(text), "after the reload")
	})
	if got := metric("genltestd_config_last_reload_success_timestamp_seconds"); got <= since {
		t.Errorf("the configuration in use is of %v, the one before of %v", got, since)
	}

	write(t, configFile, fileSink+"- {name: third, fiel: {}}\n")
	if out, err := exec.Command("systemctl", "reload", "genltestd").CombinedOutput(); err == nil {
		t.Errorf("systemctl reload accepts a faulty configuration: %s", out)
	}
	const fault = `/etc/genltestd.yaml:5:17: sinks[1].fiel: unknown key; did you mean "file"?`
	if status := u.property("StatusText"); !strings.HasPrefix(status, "RELOAD FAILED: "+fault+"; subscribed to ") {
		t.Errorf("status %q", status)
	}
	beforeQuotes, _, _ := strings.Cut(fault, ` "`)
	if log := u.journal("-o", "cat"); strings.Count(log, beforeQuotes) < 2 { // in the log of the daemon, and from the client
		t.Errorf("the log does not name the fault:\n%s", log)
	}
	if got := u.property("ActiveState") + "/" + u.property("SubState"); got != "active/running" {
		t.Errorf("state %s", got)
	}
	if metric("genltestd_config_last_reload_successful") != 0 || metric(`genltestd_sink_events_total{sink="second"}`) != 1 {
		t.Error("the metrics do not show the configuration before")
	}

	write(t, configFile, fileSink)
	command(t, "systemctl", "kill", "-s", "HUP", "genltestd")
	u.eventually("a reload by SIGHUP", func() bool { return metric("genltestd_config_last_reload_successful") == 1 })
	if status := u.property("StatusText"); !strings.HasPrefix(status, "subscribed to ") {
		t.Errorf("status %q", status)
	}
	if u.property("FileDescriptorStorePreserve") == "yes" && u.property("Type") != "notify-reload" { // systemd 254 or later
		t.Errorf("type %s", u.property("Type"))
	}
}

// A changing configuration contains sinks that stay, sinks that change, and sinks that are added
// and removed.
type changing struct {
	url, inUse string // URL of the webhooks, and an address in use
}

func (c changing) yaml(i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "journal: {max_bytes: %dMiB}\nevent: {labels: {round: '%d'}}\n", 512+i%2, i)
	b.WriteString(fileSink)
	fmt.Fprintf(&b, "- {name: web, batch_events: %d, retry_max: 200ms, webhook: {url: %s/web}}\n", 50+i%7, c.url)
	fmt.Fprintf(&b, "- {name: turn, retry_max: 200ms, webhook: {url: %s/turn, idempotency_header: %s}}\n", c.url, []string{"A", "B"}[i%2])
	for n := range extras {
		if (i+n)%3 != 0 {
			fmt.Fprintf(&b, "- {name: extra%d, batch_wait: %dms, file: {path: %s.%d}}\n", n, i%5, eventFile, n)
		}
	}
	return b.String()
}

const extras = 3

// faulty returns a configuration that must be rejected, for one of several reasons.
func (c changing) faulty(i int) string {
	good := c.yaml(i)
	return []string{
		good + "- {name: bad, fiel: {}}\n",
		good + "- {name: bad, filter: mesage, stdout: {}}\n",
		good + "- {name: archive, stdout: {}}\n",
		good + "sinks: []\n",
		strings.Replace(good, "labels", "labels: [", 1),
		"http: {listen: '" + c.inUse + "'}\n" + good,
		good + "- {name: bad, webhook: {url: 'https://localhost/', tls: {ca: /none}}}\n",
	}[i%7]
}

// connections returns the number of connections to a server.
type connections struct {
	mu   sync.Mutex
	open map[net.Conn]bool
}

func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state == http.StateClosed {
		delete(c.open, conn)
	} else {
		c.open[conn] = true
	}
}

func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

func TestReloadUnderLoadLosesNothing(t *testing.T) {
	web, changingServer, conns := &recordingServer{}, &recordingServer{}, &connections{open: map[net.Conn]bool{}}
	mux := http.NewServeMux()
	mux.Handle("/web", web)
	mux.Handle("/turn", changingServer)
	server := httptest.NewUnstartedServer(mux)
	server.Config.ConnState = conns.changed
	server.Start()
	defer server.Close()
	for n := range extras {
		t.Cleanup(func() { os.Remove(fmt.Sprintf("%s.%d", eventFile, n)) })
	}
	c := changing{url: server.URL, inUse: server.Listener.Addr().String()}
	whole := c.yaml(0) + fmt.Sprintf("- {name: extra0, file: {path: %s.0}}\n", eventFile)
	u := start(t, whole, "")
	client := api.NewClient(runtimeDir + "/" + api.SocketName)
	reload := func(yaml string) error {
		write(t, configFile, yaml)
		_, err := client.Reload(t.Context())
		return err
	}
	sinks := []string{"web", "turn", "extra0", "extra1", "extra2"}
	l := startLoad(t)
	for _, sink := range sinks {
		u.eventually(sink+" delivers", func() bool { return metric(`genltestd_sink_events_delivered_total{sink="`+sink+`"}`) > 0 })
	}
	if err := reload(whole); err != nil { // opens the connection
		t.Fatal(err)
	}
	goroutines, files := metric("go_goroutines"), metric("process_open_fds")
	began, good, bad := time.Now(), 0, 0
	for i := 1; time.Since(began) < time.Duration(rounds(10, 120))*time.Second; i++ {
		next := time.After(100 * time.Millisecond)
		if err := reload(c.yaml(i)); err != nil {
			t.Errorf("reload %d: %v", i, err)
		}
		good++
		<-next
		next = time.After(100 * time.Millisecond)
		var refused *api.Error
		if err := reload(c.faulty(i)); !errors.As(err, &refused) || len(refused.Faults) == 0 {
			t.Errorf("faulty reload %d: %v", i, err)
		}
		bad++
		<-next
	}
	if err := reload(whole); err != nil {
		t.Error(err)
	}
	if lost := u.accounted(l.end()); lost != 0 {
		t.Errorf("%d events lost", lost)
	}
	for _, sink := range sinks {
		u.eventually(sink+" has all events", func() bool {
			return metric(`genltestd_sink_events_waiting{sink="`+sink+`"}`)+metric(`genltestd_sink_events_in_flight{sink="`+sink+`"}`) == 0
		})
	}
	t.Logf("%d reloads that succeeded, %d that were refused", good, bad)
	var all []string
	for _, e := range events(t) {
		all = append(all, e.ID)
	}
	ids := [][]string{web.recorded(), changingServer.recorded()}
	for n := range extras {
		ids = append(ids, fileIDs(t, fmt.Sprintf("%s.%d", eventFile, n)))
	}
	for i, sink := range sinks {
		if again := requireAll(t, sink, all, ids[i]); again > 0 {
			t.Errorf("%s: %d events were repeated, and no attempt was aborted", sink, again)
		}
	}
	now := func() string {
		return fmt.Sprintf("%v goroutines, %v descriptors, %d connections", metric("go_goroutines"), metric("process_open_fds"), conns.count())
	}
	t.Logf("%v goroutines, %v descriptors before; now %s", goroutines, files, now())
	u.eventually("the numbers of goroutines and descriptors of the start", func() bool {
		return metric("go_goroutines") <= goroutines+2 && metric("process_open_fds") <= files && conns.count() <= 2
	})
}
