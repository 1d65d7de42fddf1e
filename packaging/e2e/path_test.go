// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/internal/poll"
)

// A failure is a fault that an operator has to find.
type failure struct {
	name           string
	inject, remove func()
	status, page   []string // words that name the cause
	alert          string   // its name, and labels that name the cause
	note           bool     // it does not make the daemon unhealthy
	looksBack      bool     // the alert fires for a time after the failure
}

// A path is the daemon with a sink for each failure of a destination, and a Prometheus with the
// rules of the product.
type path struct {
	stepper
	refuses, hangs, slow, expires, unread *destination
	yaml                                  string
	valid, expired                        func()
}

func startPath(t *testing.T) *path {
	t.Helper()
	p := &path{
		refuses: newDestination(t), hangs: newDestination(t), slow: newDestination(t), expires: newDestination(t), unread: newDestination(t),
	}
	for _, d := range []*destination{p.refuses, p.hangs, p.slow, p.unread} {
		d.Start()
	}
	ca, valid, expired := authority(t)
	p.valid, p.expired = func() { p.expires.cert.Store(valid) }, func() { p.expires.cert.Store(expired) }
	p.valid()
	p.expires.startTLS()
	p.yaml = "receiver: {buffer: 64KiB}\nshutdown: {drain: 0}\nsinks:\n"
	for name, d := range map[string]*destination{"refuses": p.refuses, "hangs": p.hangs, "unread": p.unread} {
		p.yaml += fmt.Sprintf("- {name: %s, retry_max: 1s, webhook: {url: '%s'}}\n", name, d.URL)
	}
	p.yaml += fmt.Sprintf("- {name: slow, batch_events: 1, webhook: {url: '%s'}}\n", p.slow.URL)
	p.yaml += fmt.Sprintf("- {name: expires, retry_max: 1s, webhook: {url: '%s', tls: {ca: %s}}}\n", p.expires.URL, ca)
	mount(t, stateDir, "-t", "tmpfs", "-o", "size=32m", "tmpfs")
	p.stepper = stepper{unit: start(t, p.yaml, ""), began: time.Now()}
	t.Cleanup(func() { p.set(0) })
	p.eventually("a subscription", func() bool { return metric("genltestd_subscribed") == 1 })
	startPrometheus(t)
	return p
}

func (p *path) send(n int) {
	p.t.Helper()
	for range n {
		write(p.t, ping, "an event")
	}
}

// segments changes the mode of the files of the journal's segments.
func (p *path) segments(mode os.FileMode) {
	p.t.Helper()
	files, err := filepath.Glob(journalDir + "/*.log")
	for _, file := range files {
		err = errors.Join(err, os.Chmod(file, mode))
	}
	if err != nil || len(files) == 0 {
		p.t.Fatalf("%d segments, %v", len(files), err)
	}
}

// reload uses a configuration, which may be rejected.
func (p *path) reload(yaml string) {
	p.t.Helper()
	write(p.t, configFile, yaml)
	_ = exec.Command("systemctl", "reload", "genltestd").Run() // the status reports the result
}

// stages returns the failures. Those of a stage do not hide each other: while the disk is full, for example,
// the receiver does not notice that the module is gone.
func (p *path) stages() [][]failure {
	filler := filepath.Join(stateDir, "filler")
	return [][]failure{{
		{
			name: "the journal cannot be read",
			inject: func() {
				p.unread.status.Store(http.StatusServiceUnavailable)
				p.send(3)
				p.eventually("they wait for one of the five sinks", func() bool { return metric("genltestd_sink_events_delivered_total") == 4*3 })
				p.segments(0)
				command(p.t, "systemctl", "restart", "genltestd")
				p.unread.status.Store(http.StatusOK)
			},
			remove: func() { p.segments(0o640) },
			status: []string{"delivery/unread", "permission denied"},
			page:   []string{"Events in the journal cannot be read", "Events do not reach unread", "permission denied"},
			alert:  "GenltestdJournalUnreadable",
		},
		{
			name: "the receive buffer overflows",
			inject: func() {
				command(p.t, "systemctl", "kill", "-s", "STOP", "genltestd")
				write(p.t, burst, "3000 x\n")
				command(p.t, "systemctl", "kill", "-s", "CONT", "genltestd")
			},
			remove: func() {},
			status: []string{"lost: kernel_buffer"}, page: []string{"(kernel_buffer"},
			alert: "GenltestdEventsLost family=genltest reason=kernel_buffer", note: true, looksBack: true,
		},
		{
			name:   "a reload is rejected",
			inject: func() { p.reload(p.yaml + "- {name: wrong, fiel: {path: /x}}\n") },
			remove: func() { p.reload(p.yaml) },
			status: []string{"the last reload was refused", "unknown key"},
			page:   []string{"The changed configuration is not in use", "unknown key"},
			alert:  "GenltestdReloadFailed",
		},
		{
			name:   "a destination is slow",
			inject: func() { p.slow.slow.Store(true); p.send(60) },
			remove: func() { p.slow.slow.Store(false) },
			status: []string{"delivery/slow", "the sink is slow: its oldest event has waited for"},
			page:   []string{"Events reach slow late", "the sink is slow: its oldest event has waited for"},
			alert:  "GenltestdSinkSlow sink=slow", note: true,
		},
		{
			name:   "a destination hangs",
			inject: func() { p.hangs.status.Store(0); p.send(1) },
			remove: func() { p.hangs.status.Store(http.StatusOK) },
			status: []string{"delivery/hangs", "no answer within 10s (attempt_timeout)"},
			page:   []string{"Events do not reach hangs", "no answer within 10s (attempt_timeout)"},
			alert:  "GenltestdSinkFailing sink=hangs reason=timeout",
		},
		{
			name:   "a destination refuses events",
			inject: func() { p.refuses.status.Store(http.StatusBadRequest); p.send(5) },
			remove: func() { p.refuses.status.Store(http.StatusOK); p.send(1) },
			status: []string{"delivery/refuses", "the sink permanently refused every recent event", "400 Bad Request"},
			page:   []string{"Events do not reach refuses", "400 Bad Request"},
			alert:  "GenltestdSinkFailing sink=refuses reason=refused",
		},
		{
			name:   "the certificate of a destination has expired",
			inject: func() { p.expired(); p.send(1) },
			remove: p.valid,
			status: []string{"delivery/expires", "certificate has expired"},
			page:   []string{"Events do not reach expires", "certificate has expired"},
			alert:  "GenltestdSinkFailing sink=expires reason=certificate",
		},
	}, {
		{
			name: "the disk is full",
			inject: func() {
				if err := os.WriteFile(filler, make([]byte, 64<<20), 0o600); err == nil {
					p.t.Fatal("the disk does not get full")
				}
				for range 10 { // more than the page of the segment that exists
					write(p.t, ping, strings.Repeat("x", 1000))
				}
			},
			remove: func() {
				if err := os.Remove(filler); err != nil {
					p.t.Fatal(err)
				}
			},
			status: []string{"does not accept events", "no space left on device"},
			page:   []string{"The journal does not store events", "no space left on device"},
			alert:  "GenltestdJournalNotAccepting",
		},
	}, {
		{
			name:   "the module is gone",
			inject: func() { command(p.t, "rmmod", "genltest") },
			remove: func() { command(p.t, "modprobe", "genltest") },
			status: []string{"receiver/genltest", "not registered"},
			page:   []string{"Events of genltest do not arrive", "not registered"},
			alert:  "GenltestdFamilyAbsent family=genltest",
		},
	}, {
		{
			name:   "the clock is stepped",
			inject: func() { p.set(2 * time.Minute) },
			remove: func() {},
			status: []string{"the wall clock was stepped by +"},
			page:   []string{"Clock: ", "the wall clock was stepped by "},
			alert:  "GenltestdClockStepped", note: true, looksBack: true,
		},
	}}
}

// named waits until the status and the page name the cause.
func (f *failure) named(t *testing.T) {
	t.Helper()
	poll.UntilNil(t, "the status names it: "+f.name, func() error {
		code, text := status(t)
		if code != 3 && !f.note {
			return fmt.Errorf("exit status %d", code)
		}
		return missing("status", text, f.status)
	})
	poll.UntilNil(t, "the page names it: "+f.name, func() error {
		_, page := get("/")
		_, view := get("/status.json")
		return errors.Join(missing("the page", page, f.page), missing("status.json", view, f.page[len(f.page)-1:]))
	})
}

// alerted waits until an alert names the cause.
func (f *failure) alerted(t *testing.T) {
	t.Helper()
	poll.UntilNil(t, "an alert names it: "+f.name, func() error {
		a, err := fires(f.alert)
		if err == nil && a.Annotations["runbook_url"] == "" {
			t.Errorf("%s has no runbook", f.alert)
		}
		return err
	})
}

func ended(t *testing.T, f *failure) {
	t.Helper()
	poll.Until(t, "the alert ends: "+f.alert, func() bool { _, err := fires(f.alert); return err != nil })
}

// An operator who is called at night looks at the status, the page and the alerts. Each failure is injected,
// named in all three, and repaired. The daemon is healthy then. TestAnAlertNamesEachCauseWithinAMinute of
// packaging/observability checks the times, because this machine can be slow.
func TestEachFailureIsNamedByStatusPageAndAlert(t *testing.T) {
	p := startPath(t)
	var lookBack []*failure
	for _, stage := range p.stages() {
		since := make([]time.Time, len(stage))
		for i := range stage {
			if _, err := fires(stage[i].alert); err == nil {
				t.Fatalf("%s fires before %s", stage[i].alert, stage[i].name)
			}
			since[i] = time.Now()
			stage[i].inject()
			t.Logf("%s: injected after %v", stage[i].name, time.Since(since[i]).Round(time.Second))
		}
		for i := range stage {
			stage[i].named(t)
			t.Logf("%s: status and page after %v", stage[i].name, time.Since(since[i]).Round(time.Second))
		}
		for i := range stage {
			stage[i].alerted(t)
			t.Logf("%s: alert after %v", stage[i].name, time.Since(since[i]).Round(time.Second))
		}
		for i := range stage {
			stage[i].remove()
		}
		healthy(t)
		for i := range stage {
			if stage[i].looksBack {
				lookBack = append(lookBack, &stage[i])
				continue
			}
			ended(t, &stage[i])
		}
	}
	p.set(13 * time.Minute) // for Prometheus, which uses the same clock, the failures are 11 minutes ago
	for _, f := range lookBack {
		ended(t, f)
	}
}
