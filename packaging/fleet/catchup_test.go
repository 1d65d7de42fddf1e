// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// interval is the time between two samples.
const interval = 100 * time.Millisecond

var withoutNames = regexp.MustCompile(`127\.0\.0\.1:\d+(->127\.0\.0\.1:\d+)?|host-\d+`)

// A sample is the state of the fleet at some time after the end of the outage.
type sample struct {
	at          time.Duration
	undelivered uint64
	recovered   int // hosts that have delivered since the outage
}

// A usage is what processes have used.
type usage struct {
	hosts, servers       time.Duration // CPU
	hostsRSS, serversRSS int64         // highest, bytes, of all processes together
}

// catchUp samples the fleet until everything is delivered.
func (f *fleet) catchUp() {
	f.Helper()
	f.began = f.usage()
	began := time.Now()
	for {
		s := f.sample()
		s.at = time.Since(began)
		f.samples = append(f.samples, s)
		if s.undelivered == 0 {
			return
		}
		if s.at > 10*time.Minute {
			f.Fatalf("%d events are not delivered: %+v", s.undelivered, f.counters())
		}
		time.Sleep(interval)
	}
}

func (f *fleet) sample() (s sample) {
	f.Helper()
	for _, c := range f.counters() {
		for _, h := range c.Hosts {
			s.undelivered += h.Undelivered
			if h.Error != "" {
				f.errors[withoutNames.ReplaceAllString(h.Error, "...")]++
			}
			if h.Undelivered < uint64(f.size.outage) {
				s.recovered++
			}
		}
	}
	return s
}

func (f *fleet) usage() (u usage) {
	f.Helper()
	for _, c := range f.counters() {
		u.hosts += c.CPU
		u.hostsRSS += c.MaxRSS
	}
	for _, s := range f.cluster.Servers {
		cpu, rss := f.process(s.Pid())
		u.servers += cpu
		u.serversRSS += rss
	}
	return u
}

// process returns the CPU time and the highest memory of a process.
func (f *fleet) process(pid int) (cpu time.Duration, rss int64) {
	f.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		f.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const ticksPerSecond = 100
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			f.Fatal(err)
		}
		cpu += time.Duration(n) * time.Second / ticksPerSecond
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		f.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		f.Fatal(err)
	}
	return cpu, kilobytes << 10
}

// report prints the results in the form of docs/fleet.md.
func (f *fleet) report() {
	f.Helper()
	last := f.samples[len(f.samples)-1]
	u := f.usage()
	n := f.size.processes * f.size.hosts
	events := float64(f.samples[0].undelivered)
	line("hosts", "%d, with a connection each", n)
	line("backlog", "%.0f events", events)
	line("failed attempts in the outage", "%.1f per host", float64(f.outageFailures)/float64(n))
	line("catch-up", "%.1f s, %.0f events/s, at most %.0f in one second", last.at.Seconds(), events/last.at.Seconds(), f.peakRate())
	line("first delivery of a host", "%s; at most %d hosts in one second", f.spread(), f.peakRecoveries())
	line("failed attempts in the catch-up", "%d", f.failures()-f.outageFailures)
	for _, text := range slices.Sorted(maps.Keys(f.errors)) {
		line("", "%d times: %s", f.errors[text], text)
	}
	line("CPU of the hosts", "%.1f s, %.1f us/event", (u.hosts - f.began.hosts).Seconds(), micros(u.hosts-f.began.hosts, events))
	line("CPU of the three servers", "%.1f s, %.1f us/event", u.servers.Seconds(), micros(u.servers, events))
	line("memory of the hosts", "%.1f MB per host", float64(u.hostsRSS)/1e6/float64(n))
	line("memory of the servers", "%.0f MB each", float64(u.serversRSS)/1e6/float64(len(f.cluster.Servers)))
}

// line prints a result.
func line(name, format string, values ...any) {
	fmt.Printf("%-40s"+format+"\n", append([]any{name}, values...)...)
}

func micros(d time.Duration, events float64) float64 { return float64(d.Microseconds()) / events }

func (f *fleet) failures() (n uint64) {
	f.Helper()
	for _, c := range f.counters() {
		for _, h := range c.Hosts {
			n += h.Failures
		}
	}
	return n
}

// within returns the largest change of a number in any second.
func (f *fleet) within(number func(sample) float64) (most float64) {
	for i, from := range f.samples {
		for _, to := range f.samples[i:] {
			if to.at-from.at > time.Second {
				break
			}
			most = max(most, number(to)-number(from))
		}
	}
	return most
}

func (f *fleet) peakRate() float64 {
	return f.within(func(s sample) float64 { return -float64(s.undelivered) })
}

func (f *fleet) peakRecoveries() int {
	return int(f.within(func(s sample) float64 { return float64(s.recovered) }))
}

// spread describes when hosts delivered again.
func (f *fleet) spread() string {
	n := f.size.processes * f.size.hosts
	after := func(share int) float64 {
		i := slices.IndexFunc(f.samples, func(s sample) bool { return s.recovered*100 >= n*share })
		return f.samples[i].at.Seconds()
	}
	return fmt.Sprintf("10 %% within %.1f s, 50 %% within %.1f s, all within %.1f s", after(10), after(50), after(100))
}
