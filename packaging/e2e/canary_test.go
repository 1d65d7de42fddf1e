// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	canaryTimer   = "genltestd-canary.timer"
	canaryService = "genltestd-canary.service"
)

// A messageServer is the server of a webhook. It stores the texts of the events that it accepts.
type messageServer struct {
	mu       sync.Mutex
	down     bool
	messages []string
}

// ServeHTTP accepts a batch of a webhook.
func (s *messageServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var batch []event
	if err := json.NewDecoder(r.Body).Decode(&batch); err != nil || s.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	for _, e := range batch {
		s.messages = append(s.messages, e.Message)
	}
}

func (s *messageServer) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *messageServer) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// The timer measures the latency of each sink, and the sinks receive nothing of it. A sink that
// fails is reported by the service and by the metric, also after a kill.
func TestCanaryTimer(t *testing.T) {
	server := &messageServer{}
	web := httptest.NewServer(server)
	defer web.Close()
	u := start(t, fileSink+"- name: hook\n  retry_max: 200ms\n  webhook: {url: '"+web.URL+"'}\n", "")
	u.eventually("the subscription", func() bool { return metric("genltestd_subscribed") == 1 })
	if out, _ := exec.Command("systemctl", "is-enabled", canaryTimer).CombinedOutput(); strings.TrimSpace(string(out)) != "disabled" {
		t.Errorf("the timer is %s", out)
	}
	if metric("genltestd_canary_latency_seconds") != -1 {
		t.Error("a latency before the first canary")
	}

	useTimer(t)
	u.eventually("a canary", func() bool { return metric("genltestd_canary_last_timestamp_seconds") > 0 })
	command(t, "systemctl", "disable", "--now", canaryTimer)
	u.eventually("the end of the service", func() bool { return canaryState(t, "ActiveState") == "inactive" })
	if result := canaryState(t, "Result"); result != "success" {
		t.Errorf("the service has the result %s: %s", result, canaryLog(t))
	}
	for _, sink := range []string{"archive", "hook"} {
		if s := metric(`genltestd_canary_latency_seconds{sink="` + sink + `"}`); s < 0 || s > 30 {
			t.Errorf("the latency of %s is %v", sink, s)
		}
	}

	server.set(true)
	write(t, ping, "genltestd canary 0123456789abcdef0123456789abcdef")
	u.eventually("the failure of hook", func() bool { return metric(`genltestd_sink_failures_total{sink="hook"}`) > 0 })
	if err := exec.Command("systemctl", "start", canaryService).Run(); err == nil {
		t.Error("the service succeeds although hook does not accept events")
	}
	if log := canaryLog(t); !strings.Contains(log, "hook     not reached for ") || !strings.Contains(log, "archive") {
		t.Errorf("the log of the service: %s", log)
	}
	if s := metric(`genltestd_canary_latency_seconds{sink="hook"}`); s < 30 {
		t.Errorf("the latency of hook is %v after more than 30 s", s)
	}
	command(t, "systemctl", "kill", "--signal=KILL", "genltestd")
	server.set(false)
	u.eventually("the event in hook", func() bool { return len(server.received()) > 0 })
	const suppressed = `genltestd_sink_events_suppressed_total{sink="hook",reason="canary"}`
	u.eventually("the canary behind it", func() bool { return metric(suppressed) == 1 })
	command(t, "systemctl", "start", canaryService)
	write(t, ping, "end")
	u.eventually("the last event", func() bool { return len(server.received()) > 1 && len(events(t)) > 1 })
	want := []string{"genltestd canary 0123456789abcdef0123456789abcdef", "end"}
	var archived []string
	for _, e := range events(t) {
		archived = append(archived, e.Message)
	}
	if !slices.Equal(server.received(), want) || !slices.Equal(archived, want) {
		t.Errorf("hook has received %q, archive %q", server.received(), archived)
	}
}

// useTimer enables the timer, which elapses at once.
func useTimer(t *testing.T) {
	t.Helper()
	const dropIn = "/run/systemd/system/" + canaryTimer + ".d"
	command(t, "mkdir", "-p", dropIn)
	write(t, dropIn+"/test.conf", "[Timer]\nOnActiveSec=\nOnActiveSec=100ms\nAccuracySec=100ms\n")
	command(t, "systemctl", "daemon-reload")
	t.Cleanup(func() {
		_ = exec.Command("systemctl", "disable", "--now", canaryTimer).Run() // a failed test may not have disabled it
		_ = os.RemoveAll(dropIn)                                             // it affects only this test
		_ = exec.Command("systemctl", "daemon-reload").Run()
	})
	command(t, "systemctl", "enable", "--now", canaryTimer)
}

func canaryState(t *testing.T, property string) string {
	t.Helper()
	return strings.TrimSpace(command(t, "systemctl", "show", "-P", property, canaryService))
}

func canaryLog(t *testing.T) string {
	t.Helper()
	return command(t, "journalctl", "-b", "-u", canaryService, "--no-pager", "-o", "cat")
}
