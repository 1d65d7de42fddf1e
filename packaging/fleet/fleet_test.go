// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/realserver"
	"github.com/genltestd/genltestd/packaging/fleet/hosts"
	"github.com/genltestd/genltestd/packaging/natscluster"
)

// hostsVariable is set where the test binary runs as a process with hosts.
const hostsVariable = "GENLTESTD_HOSTS"

func TestMain(m *testing.M) {
	if os.Getenv(hostsVariable) == "" {
		os.Exit(m.Run())
	}
	hosts.Main()
}

// A size is that of a fleet and of its outage.
type size struct {
	processes, hosts int // hosts in each process
	before           int // events of each host before the outage
	outage           int // events of each host in the outage
	failures         int // attempts of each host that fail in the outage
	sink             string
}

// large is 200 hosts with an event a second in an outage of one hour. After nine failures the
// pause between attempts is at its default maximum of 30 s, as it is after an hour.
var large = size{processes: 8, hosts: 25, before: 20, outage: 3600, failures: 9}

// small has short pauses.
var small = size{processes: 2, hosts: 3, before: 20, outage: 300, failures: 2, sink: "  retry_max: 500ms\n"}

func TestFleet(t *testing.T) {
	z := small
	if os.Getenv("GENLTESTD_FLEET") != "" {
		z = large
	} else if testing.Short() {
		t.Skip("needs some seconds")
	}
	f := start(t, z)
	f.setGoal(z.before)
	f.awaitDelivered()
	f.cluster.each((*realserver.Server).Kill)
	f.setGoal(z.before + z.outage)
	f.awaitOutage()
	f.cluster.each((*realserver.Server).Restart)
	f.catchUp()
	f.stop()
	f.report()
	f.check()
}

// A fleet is a cluster and processes with hosts.
type fleet struct {
	*testing.T
	size      size
	cluster   servers
	dirs      []string // of the processes
	processes []*realserver.Server

	outageFailures uint64
	began          usage // at the end of the outage
	samples        []sample
	errors         map[string]int // in the catch-up, without addresses and hosts, and how often they were seen
}

type servers struct{ *natscluster.Cluster }

func (s servers) each(do func(*realserver.Server)) {
	for _, server := range s.Servers {
		do(server)
	}
}

func start(t *testing.T, z size) *fleet {
	t.Helper()
	f := &fleet{T: t, size: z, cluster: servers{natscluster.Start(t)}}
	config := filepath.Join(t.TempDir(), "genltestd.yaml")
	addresses := strings.Join(f.cluster.Addresses, "', 'nats://")
	f.errors = make(map[string]int)
	text := fmt.Sprintf("sinks:\n- name: nats\n%s  nats: {addresses: ['nats://%s']}\n", z.sink, addresses)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range z.processes {
		f.dirs = append(f.dirs, t.TempDir())
	}
	f.setGoal(0)
	for i, dir := range f.dirs {
		var names []string
		for n := range z.hosts {
			names = append(names, fmt.Sprintf("host-%03d", i*z.hosts+n))
		}
		f.processes = append(f.processes, realserver.Start(t, realserver.Spec{
			Program: self, Env: []string{hostsVariable + "=1"},
			Args: []string{"-dir", dir, "-config", config, "-hosts", strings.Join(names, ",")},
		}))
	}
	return f
}

func (f *fleet) setGoal(events int) {
	f.Helper()
	for _, dir := range f.dirs {
		if err := hosts.SetGoal(dir, uint64(events)); err != nil {
			f.Fatal(err)
		}
	}
}

// counters returns those of each process.
func (f *fleet) counters() (all []hosts.Counters) {
	f.Helper()
	for _, dir := range f.dirs {
		c, err := hosts.Read(dir)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// all reports whether a condition holds for each host.
func (f *fleet) all(condition func(hosts.Host) bool) bool {
	f.Helper()
	n := 0
	for _, c := range f.counters() {
		for _, h := range c.Hosts {
			if condition(h) {
				n++
			}
		}
	}
	return n == f.size.processes*f.size.hosts
}

func (f *fleet) awaitDelivered() {
	f.Helper()
	poll.Until(f, "each host has delivered its first events", func() bool {
		return f.all(func(h hosts.Host) bool { return h.Journaled == uint64(f.size.before) && h.Undelivered == 0 })
	})
}

// awaitOutage waits until each host has its backlog, and retries with long pauses.
func (f *fleet) awaitOutage() {
	f.Helper()
	began := time.Now()
	waits := func(h hosts.Host) bool {
		return h.Undelivered >= uint64(f.size.outage) && h.Failures >= uint64(f.size.failures)
	}
	for !f.all(waits) {
		if time.Since(began) > 5*time.Minute {
			f.Fatalf("the hosts do not retry: %+v", f.counters())
		}
		time.Sleep(interval)
	}
	for _, c := range f.counters() {
		for _, h := range c.Hosts {
			f.outageFailures += h.Failures
		}
	}
	f.Logf("the outage lasted %v; attempts that failed in it: %d", time.Since(began).Round(time.Second), f.outageFailures)
}

func (f *fleet) stop() {
	f.Helper()
	for i, p := range f.processes {
		p.Stop()
		if !f.counters()[i].Stopped {
			f.Errorf("process %d has not stopped cleanly:\n%s", i, p.Log())
		}
	}
}
