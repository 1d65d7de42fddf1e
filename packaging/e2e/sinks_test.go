// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A recordingServer is the server of a sink. It stores the ids of the events that it accepts.
type recordingServer struct {
	mu    sync.Mutex
	ids   []string
	hangs chan struct{} // if not nil, requests wait until it is closed
}

func (k *recordingServer) record(ids ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ids = append(k.ids, ids...)
}

func (k *recordingServer) recorded() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]string(nil), k.ids...)
}

// ServeHTTP accepts a batch of a webhook.
func (k *recordingServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if k.hangs != nil {
		select {
		case <-k.hangs:
		case <-r.Context().Done():
			return
		}
	}
	var batch []event
	if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for _, e := range batch {
		k.record(e.ID)
	}
}

// serveLines accepts events from a stream socket and confirms each by its id.
func (k *recordingServer) serveLines(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				var e event
				if json.Unmarshal(lines.Bytes(), &e) != nil {
					return
				}
				k.record(e.ID)
				if _, err := fmt.Fprintln(conn, e.ID); err != nil {
					return
				}
			}
		}()
	}
}

// fileIDs returns the ids of the events in a file of JSON lines.
func fileIDs(t *testing.T, path string) (ids []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

// requireAll requires that ids contains the expected ids in order, ignoring repetitions, and returns the
// number of repetitions.
func requireAll(t *testing.T, sink string, want, ids []string) (again int) {
	t.Helper()
	place := make(map[string]int, len(want))
	for i, id := range want {
		place[id] = i
	}
	next := 0
	for _, id := range ids {
		switch i, known := place[id]; {
		case !known:
			t.Errorf("%s has %q, which was not sent", sink, id)
		case i < next:
			again++
		case i == next:
			next++
		default:
			t.Fatalf("%s has %q in place of %q", sink, id, want[next])
		}
	}
	if next != len(want) {
		t.Errorf("%s has %d of %d events", sink, next, len(want))
	}
	return again
}

// recordDatagrams accepts syslog messages, whose structured data contains the id.
func (k *recordingServer) recordDatagrams(conn *net.UnixConn) {
	for buf := make([]byte, 64<<10); ; {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		if _, rest, ok := strings.Cut(string(buf[:n]), ` id="`); ok {
			id, _, _ := strings.Cut(rest, `"`)
			k.record(id)
		}
	}
}

const (
	streamSocket = "/run/genltest-e2e.stream" // not below /tmp, because the unit has its own /tmp
	syslogSocket = "/run/genltest-e2e.syslog"
	programIDs   = "/var/log/genltestd/program.ids"
)

// listenFor creates a socket that the daemon's user may write to.
func listenFor[L interface{ Close() error }](
	t *testing.T, path string, listen func(network string, address *net.UnixAddr) (L, error), network string,
) L {
	t.Helper()
	os.Remove(path) // may exist after an earlier run
	l, err := listen(network, &net.UnixAddr{Name: path, Net: network})
	if err == nil {
		err = os.Chmod(path, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// Each sink receives each event in order. Each kill repeats at most a batch, and nothing in the
// file. Two slow sinks receive every twentieth event.
func TestKillWithEverySinkLosesNothing(t *testing.T) {
	web, sock, log := &recordingServer{}, &recordingServer{}, &recordingServer{}
	server := httptest.NewServer(web)
	defer server.Close()
	go sock.serveLines(listenFor(t, streamSocket, net.ListenUnix, "unix"))
	go log.recordDatagrams(listenFor(t, syslogSocket, net.ListenUnixgram, "unixgram"))
	os.Remove(programIDs) // may exist after an earlier run
	const batch = 50
	u := start(t, fmt.Sprintf(`sinks:
- {name: archive, batch_events: %[1]d, file: {path: %[2]s}}
- {name: web, batch_events: %[1]d, retry_max: 200ms, webhook: {url: %[3]s/}}
- {name: sock, batch_events: %[1]d, retry_max: 200ms, socket: {address: "unix://%[4]s", acknowledge: true}}
- {name: log, batch_events: %[1]d, retry_max: 200ms, syslog: {address: "unixgram://%[5]s"}}
- {name: journal, batch_events: %[1]d, filter: kernel_seq %% 20 == 0, journald: {identifier: every-sink}}
- name: program
  batch_events: %[1]d
  retry_max: 200ms
  filter: kernel_seq %% 20 == 0
  exec:
    mode: stream
    argv: [/bin/sh, -c, 'while read -r l; do i=${l#*\"id\":\"}; i=${i%%%%\"*}; echo "$i" >>%[6]s; echo "ok $i"; done']
`, batch, eventFile, server.URL, streamSocket, syslogSocket, programIDs), "RestartSec=1ms")
	l := startLoad(t)
	kills := rounds(10, 100)
	for range kills {
		time.Sleep(time.Duration(100+rand.IntN(900)) * time.Millisecond)
		command(t, "systemctl", "kill", "-s", "KILL", "genltestd")
	}
	if lost := u.accounted(l.end()); lost != 0 {
		t.Errorf("%d events lost", lost)
	}
	for _, sink := range []string{"web", "sock", "log", "journal", "program"} {
		u.eventually(sink+" has all events", func() bool {
			return metric(`genltestd_sink_events_waiting{sink="`+sink+`"}`)+metric(`genltestd_sink_events_in_flight{sink="`+sink+`"}`) == 0
		})
	}
	var all, some []string
	for _, e := range events(t) {
		if all = append(all, e.ID); e.KernelSeq%20 == 0 {
			some = append(some, e.ID)
		}
	}
	for _, s := range []struct {
		name      string
		want, ids []string
	}{
		{"web", all, web.recorded()},
		{"sock", all, sock.recorded()},
		{"log", all, log.recorded()},
		{"journal", some, strings.Fields(command(t, "journalctl", "-t", "every-sink", "-o", "cat", "--output-fields=GENLTEST_ID", "--no-pager"))},
		{"program", some, strings.Fields(command(t, "cat", programIDs))},
	} {
		again := requireAll(t, s.name, s.want, s.ids)
		t.Logf("%s: %d events, %d came again after %d kills", s.name, len(s.want), again, kills)
		if again > kills*batch {
			t.Errorf("%s: %d events were repeated after %d kills, at most %d may", s.name, again, kills, kills*batch)
		}
	}
}

// The other sinks and the receiver are not affected.
func TestUnitIsolatesAHangingSink(t *testing.T) {
	hung, fine := &recordingServer{hangs: make(chan struct{})}, &recordingServer{}
	bad, good := httptest.NewServer(hung), httptest.NewServer(fine)
	defer good.Close()
	defer bad.Close()
	var yaml strings.Builder
	yaml.WriteString(fileSink)
	for i := range 5 {
		fmt.Fprintf(&yaml, "- {name: file%d, file: {path: %s.%d}}\n", i, eventFile, i)
		t.Cleanup(func() { os.Remove(fmt.Sprintf("%s.%d", eventFile, i)) })
	}
	fmt.Fprintf(&yaml, "- {name: good, retry_max: 200ms, webhook: {url: %s/}}\n", good.URL)
	fmt.Fprintf(&yaml, "- {name: bad, attempt_timeout: 1h, webhook: {url: %s/}}\n", bad.URL)
	u := start(t, yaml.String(), "")
	l := startLoad(t)
	var first, most float64
	for i := range rounds(10, 120) {
		time.Sleep(time.Second)
		rss := residentBytes(t, u.property("MainPID"))
		if i == 3 {
			first = rss // includes the buffers of eight sinks
		}
		most = max(most, rss)
	}
	waiting := metric(`genltestd_sink_events_waiting{sink="bad"}`)
	if lost := u.accounted(l.end()); lost != 0 {
		t.Errorf("%d events lost", lost)
	}
	for _, sink := range []string{"archive", "file4", "good"} {
		if n := metric(`genltestd_sink_failures_total{sink="` + sink + `"}`); n != 0 {
			t.Errorf("%s has failed %v times", sink, n)
		}
		sum := metric(`genltestd_sink_latency_seconds_sum{sink="` + sink + `"}`)
		t.Logf("%s: mean latency %.3f s", sink, sum/metric(`genltestd_sink_latency_seconds_count{sink="`+sink+`"}`))
	}
	t.Logf("%v events wait for the sink that hangs; resident %.1f MB after 3 s, at most %.1f MB", waiting, first/1e6, most/1e6)
	if waiting < 100 {
		t.Errorf("%v events wait for the sink that hangs", waiting)
	}
	if most > 2*first {
		t.Errorf("resident memory grew from %.0f to %.0f bytes", first, most)
	}
	close(hung.hangs)
	want := fileIDs(t, eventFile)
	u.eventually("the sink that hung has all events", func() bool { return len(hung.recorded()) >= len(want) })
	requireAll(t, "bad", want, hung.recorded())
	requireAll(t, "good", want, fine.recorded())
}

func residentBytes(t *testing.T, pid string) float64 {
	t.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * float64(os.Getpagesize())
}
