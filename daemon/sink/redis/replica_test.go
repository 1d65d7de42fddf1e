// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

// startReplica starts a replica of s and waits until it is in step.
func startReplica(t *testing.T, s *server) *server {
	t.Helper()
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	s.must(t, "CONFIG", "SET", "repl-diskless-sync-delay", "0")
	replica := startServer(t, "--replicaof", host, port)
	s.awaitReplication(t, "state=online")
	return replica
}

func (s *server) awaitReplication(t *testing.T, text string) {
	t.Helper()
	poll.Until(t, "the replica is in step", func() bool {
		return strings.Contains(string(s.must(t, "INFO", "replication").([]byte)), text)
	})
}

func TestReplicaMustAcknowledge(t *testing.T) {
	long(t)
	s := startServer(t)
	replica := startReplica(t, s)
	c := s.config()
	c.Replicas, c.ReplicaTimeout = 1, value.Duration(100*time.Millisecond)
	k := newSink(t, c)
	deliverAll(t, 10*time.Second, k, sinktest.Events(1, 10))
	stored(t, replica, 10)

	replica.Freeze()
	for i := range 5 { // the events are stored, and not stored again
		refusesWith(t, k, "0 of 1 replicas")
		if n, err := k.Deliver(t.Context(), []event.Event{sinktest.TestEvent(uint64(i))}); n != 0 || err == nil {
			t.Fatalf("accepted %d tests, %v", n, err)
		}
	}
	if n := len(s.entries(t, s.stream)); n != 10+3+5 {
		t.Errorf("the server has %d entries", n)
	}
	replica.Thaw()
	deliverAll(t, 10*time.Second, k, sinktest.Events(1, 20)[:3]) // those of refusesWith
	deliverAll(t, 10*time.Second, k, sinktest.Events(11, 10))
	if n := len(s.entries(t, s.stream)); n != 23+5 {
		t.Errorf("the server has %d entries", n)
	}
}

// Delivery drops events that wait for a replica, and events that were not sent.
func TestUnconfirmedEventsAreDropped(t *testing.T) {
	long(t)
	s := startServer(t)
	c := s.config()
	c.Replicas, c.ReplicaTimeout = 1, value.Duration(time.Millisecond)
	k := newSink(t, c)
	events := sinktest.Events(1, 10)
	for _, batch := range [][2]int{{0, 5}, {2, 5}, {2, 8}, {4, 10}, {9, 10}} {
		if n, err := k.Deliver(t.Context(), events[batch[0]:batch[1]]); n != 0 || err == nil {
			t.Fatalf("accepted %d events, %v", n, err)
		}
	}
	startReplica(t, s)
	deliverAll(t, 10*time.Second, k, events[9:])
	var got []string
	for _, e := range s.Stored(t) {
		got = append(got, e.ID)
	}
	var want []string
	for _, i := range []int{0, 1, 2, 3, 4, 9} { // events 5 to 8 were not sent, because 2 to 4 were not confirmed
		want = append(want, events[i].ID())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestReplicaIsReadOnlyAndPromoted(t *testing.T) {
	s := startServer(t)
	replica := startReplica(t, s)
	k := newSink(t, replica.config())
	refusesWith(t, k, "READONLY", "address of the primary")
	replica.must(t, "REPLICAOF", "NO", "ONE")
	delivers(t, k, 1, 3)
	stored(t, replica, 3)
}

// The primary becomes a replica while a connection is open.
func TestPrimaryIsDemoted(t *testing.T) {
	long(t)
	s := startServer(t)
	replica := startReplica(t, s)
	c := s.config()
	c.Replicas, c.ReplicaTimeout = 1, value.Duration(time.Second)
	k := newSink(t, c)
	deliverAll(t, 10*time.Second, k, sinktest.Events(1, 3))
	host, port, err := net.SplitHostPort(replica.address)
	if err != nil {
		t.Fatal(err)
	}
	replica.must(t, "REPLICAOF", "NO", "ONE")
	s.must(t, "REPLICAOF", host, port)
	s.awaitReplication(t, "master_link_status:up")
	refusesWith(t, k, "the server is a replica")
	k2 := newSink(t, defaulted(value.Address("redis://"+replica.address)))
	delivers(t, k2, 4, 3)
	stored(t, replica, 6)
}

func TestTooFewReplicasForTheServer(t *testing.T) {
	long(t)
	s := startServer(t, "--min-replicas-to-write", "1")
	k := newSink(t, s.config())
	refusesWith(t, k, "NOREPLICAS", "`min-replicas-to-write`")
	startReplica(t, s)
	poll.UntilNil(t, "the server accepts events", func() error {
		n, err := k.Deliver(t.Context(), sinktest.Events(1, 3))
		if n > 0 && n < 3 || sink.Poisoned(err) > 0 {
			t.Fatalf("accepted %d events, %v", n, err)
		}
		return err
	})
}

func TestClusterAndSentinelAreExplained(t *testing.T) {
	s := startServer(t, "--cluster-enabled", "yes")
	refusesWith(t, newSink(t, s.config()), "CLUSTERDOWN", "Redis Cluster")

	sentinel := startSentinel(t)
	refusesWith(t, newSink(t, sentinel.config()), "ERR unknown command", "Sentinel")
}
