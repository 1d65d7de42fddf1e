// SPDX-License-Identifier: Apache-2.0

//go:build kernel

package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/metrics"
	"github.com/genltestd/genltestd/metrics/scrape"
	"github.com/genltestd/genltestd/packaging/vm/sysfs"
)

const (
	ping  = "/sys/genltest/ping"
	burst = "/sys/genltest/burst"
)

func load(t *testing.T, variable string) {
	t.Helper()
	f, err := os.Open(os.Getenv(variable))
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
		t.Fatalf("load %s: %v", f.Name(), err)
	}
	name := map[string]string{
		"GENLTEST_MODULE": "genltest", "GENLTEST_TUTORIAL_MODULE": "genltest_tutorial", "GENLTEST_FOREIGN_MODULE": "team",
	}[variable]
	t.Cleanup(func() {
		if err := unix.DeleteModule(name, 0); err != nil && err != unix.ENOENT {
			t.Errorf("unload %s: %v", name, err)
		}
	})
}

func unload(t *testing.T) { unloadModule(t, "genltest") }

func unloadModule(t *testing.T, name string) {
	t.Helper()
	if err := unix.DeleteModule(name, 0); err != nil {
		t.Fatal(err)
	}
}

func mustWrite(t *testing.T, file, text string) {
	t.Helper()
	if err := sysfs.Write(file, text); err != nil {
		t.Fatalf("write %d bytes to %s: %v", len(text), file, err)
	}
}

// run starts a daemon on this kernel.
func run(t *testing.T, yaml string) fixture {
	t.Helper()
	return launch(t, parse(t, listenAnywhere+"echo: {interval: 100ms, timeout: 100ms}\n"+yaml), Options{})
}

// subscribed reports whether events of the first family can arrive.
func (f fixture) subscribed() bool { return f.reception.States()[0].ID != 0 }

type line struct {
	Message, Base64 string
	ID, Kind        string
	Gap             struct {
		Count  uint64
		Reason string
	}
	KernelSeq  uint64    `json:"kernel_seq"`
	KernelTime time.Time `json:"kernel_time"`
	LoadID     string    `json:"load_id"`
	Time       time.Time
}

// lines waits for n events and returns them all, without the gaps.
func (f fixture) lines(t *testing.T, n int) (events []line) {
	t.Helper()
	poll.Until(t, fmt.Sprintf("%d events", n), func() bool { return strings.Count(f.stdout.String(), `"kind":"event"`) >= n })
	for _, l := range f.all(t) {
		if l.Kind == "event" {
			events = append(events, l)
		}
	}
	return events
}

// gaps returns the number of lost events in the gaps that the sink received, by reason.
func (f fixture) gaps(t *testing.T) map[string]uint64 {
	t.Helper()
	sum := map[string]uint64{}
	for _, l := range f.all(t) {
		if l.Kind == "gap" {
			sum[l.Gap.Reason] += l.Gap.Count
		}
	}
	return sum
}

// all returns the complete lines that the sink has written.
func (f fixture) all(t *testing.T) (list []line) {
	t.Helper()
	for text := range strings.Lines(f.stdout.String()) {
		if !strings.HasSuffix(text, "\n") {
			break
		}
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		list = append(list, l)
	}
	return list
}

// account returns the received events, the lost events by reason, and the sum of both.
func (f fixture) account(t *testing.T) (received uint64, lost map[string]uint64, sum uint64) {
	t.Helper()
	_, page := f.get(t, "/metrics") // one scrape, so that the counters agree
	number := func(series string) uint64 {
		n, ok := scrape.Sum(page, series)
		if !ok {
			t.Fatalf("no metric %s", series)
		}
		return uint64(n)
	}
	lost = map[string]uint64{}
	for _, reason := range []string{metrics.LostKernelBuffer, metrics.LostNotSubscribed, metrics.LostUnexplained} {
		lost[reason] = number(fmt.Sprintf("genltestd_events_lost_total{reason=%q}", reason))
	}
	received = number("genltestd_events_received_total")
	return received, lost, received + number("genltestd_events_lost_total")
}

func (f fixture) messages(t *testing.T, n int) []string {
	t.Helper()
	var list []string
	for _, l := range f.lines(t, n) {
		list = append(list, l.Message)
	}
	return list
}

// metric returns the sum of the series as scrape.Sum does, as a decimal.
func (f fixture) metric(t *testing.T, series string) string {
	t.Helper()
	_, page := f.get(t, "/metrics")
	value, ok := scrape.Sum(page, series)
	if !ok {
		t.Fatalf("no metric %s", series)
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// inOrder checks that no event is repeated or out of order.
func (f fixture) inOrder(t *testing.T, events []line) {
	t.Helper()
	last := line{}
	for _, l := range events {
		if l.LoadID == last.LoadID && l.KernelSeq <= last.KernelSeq {
			t.Fatalf("kernel sequence %d after %d", l.KernelSeq, last.KernelSeq)
		}
		last = l
	}
}

// soak returns the number for the short form of a test, or for the long form if GENLTESTD_SOAK
// is set.
func soak(short, long int) int {
	if os.Getenv("GENLTESTD_SOAK") != "" {
		return long
	}
	return short
}

// eventPort returns the port id of the only generic netlink socket of this machine that is a
// member of a group. Members of the group "notify" of nlctrl do not count.
func eventPort(t *testing.T) (port uint32) {
	t.Helper()
	const notify = "00008000" // group 16, of the first 32
	// If a socket is closed between two reads, a line may be missing or repeated.
	poll.Until(t, "a socket that has joined a group", func() bool {
		table, err := os.ReadFile("/proc/net/netlink")
		if err != nil {
			t.Fatal(err)
		}
		for text := range strings.Lines(string(table)) {
			var sk, groups string
			var protocol int
			var other uint32
			n, _ := fmt.Sscan(text, &sk, &protocol, &other, &groups)
			if n < 4 || protocol != unix.NETLINK_GENERIC || other == 0 || groups == "00000000" || groups == notify {
				continue
			}
			if port != 0 && port != other {
				t.Fatalf("more than one socket has joined such a group:\n%s", table)
			}
			port = other
		}
		return port != 0
	})
	return port
}
