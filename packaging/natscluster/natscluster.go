// SPDX-License-Identifier: Apache-2.0

// Package natscluster runs three real nats-server processes for tests: a cluster with one stream
// that has a copy on each of them, and syncs each write.
package natscluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/realserver"
)

// Stream is the name of the stream, which captures the subjects below genltestd.
const Stream = "EVENTS"

// A Cluster is three servers.
type Cluster struct {
	Servers   [3]*realserver.Server
	Addresses []string // HOST:PORT of each
	JS        jetstream.JetStream
}

// no_advertise keeps clients on the addresses that they know, such as those of proxies.
const config = `
server_name: n%d
listen: %q
jetstream { store_dir: %q, sync_interval: always }
cluster { name: test, listen: %q, routes: [%s], no_advertise: true }
`

// Start starts a cluster with an empty stream.
func Start(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{}
	var peers []string
	for range c.Servers {
		c.Addresses = append(c.Addresses, sinktest.FreeAddress(t))
		peers = append(peers, sinktest.FreeAddress(t))
	}
	routes := "nats://" + strings.Join(peers, ", nats://")
	for i := range c.Servers {
		dir := t.TempDir()
		file := filepath.Join(dir, "server.conf")
		text := fmt.Sprintf(config, i, c.Addresses[i], filepath.Join(dir, "store"), peers[i], routes)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Servers[i] = realserver.Start(t, realserver.Spec{Program: "nats-server", Args: []string{"-c", file}, Ready: Listens(c.Addresses[i])})
	}
	c.JS = Client(t, "nats://"+strings.Join(c.Addresses, ",nats://"))
	CreateStream(t, c.JS, len(c.Servers))
	return c
}

// Listens returns a function that connects to an address.
func Listens(address string) func() error {
	return func() error {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// Client returns a client that reconnects, until the test ends.
func Client(t testing.TB, urls string, options ...nats.Option) jetstream.JetStream {
	t.Helper()
	options = append(options, nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectWait(20*time.Millisecond),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	nc, err := nats.Connect(urls, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// CreateStream creates the stream, as soon as the servers accept it.
func CreateStream(t testing.TB, js jetstream.JetStream, replicas int) {
	t.Helper()
	poll.UntilNil(t, "the stream is created", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: Stream, Subjects: []string{"genltestd.>"}, AllowBatchPublish: true, AllowDirect: true, Replicas: replicas,
			Duplicates: 10 * time.Minute, Discard: jetstream.DiscardNew,
		})
		return err
	})
}

// KillLeader waits for a leader with two followers that are up to date, because a majority of the
// servers must survive, and kills it. restart starts it again.
func (c *Cluster) KillLeader(t testing.TB) (restart func()) {
	t.Helper()
	var leader string
	poll.UntilNil(t, "the stream has a leader and two current followers", func() (err error) {
		leader, err = c.leader(t)
		return err
	})
	var n int
	if _, err := fmt.Sscanf(leader, "n%d", &n); err != nil {
		t.Fatalf("the leader is %q", leader)
	}
	c.Servers[n].Kill()
	return c.Servers[n].Restart
}

func (c *Cluster) leader(t testing.TB) (name string, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	stream, err := c.JS.Stream(ctx, Stream)
	if err != nil {
		return "", err
	}
	state := stream.CachedInfo().Cluster
	if state == nil || state.Leader == "" {
		return "", errors.New("no leader")
	}
	for _, follower := range state.Replicas {
		if !follower.Current || follower.Offline {
			return "", fmt.Errorf("%s is not up to date", follower.Name)
		}
	}
	return state.Leader, nil
}
