// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/realserver"
)

// A cluster is three servers, with a stream on all of them.
type cluster struct {
	servers [3]*server
	nc      *nats.Conn
	js      jetstream.JetStream
}

func startCluster(t *testing.T, change func(*jetstream.StreamConfig)) *cluster {
	t.Helper()
	c := &cluster{}
	var urls, routes []string
	for range c.servers {
		routes = append(routes, "nats://"+sinktest.FreeAddress(t))
	}
	for i := range c.servers {
		s := &server{address: sinktest.FreeAddress(t), file: filepath.Join(t.TempDir(), "server.conf")}
		text := fmt.Sprintf("server_name: n%d\nlisten: %q\njetstream { store_dir: %q, sync_interval: always }\n"+
			"cluster { name: test, listen: %q, routes: [%s] }\n",
			i, s.address, filepath.Join(filepath.Dir(s.file), "store"), strings.TrimPrefix(routes[i], "nats://"), strings.Join(routes, ", "))
		if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Server = realserver.Start(t, realserver.Spec{Program: "nats-server", Args: []string{"-c", s.file}, Ready: listens(s.address)})
		c.servers[i] = s
		urls = append(urls, string(s.url()))
	}
	c.nc, c.js = client(t, strings.Join(urls, ","))
	createStream(t, c.js, func(s *jetstream.StreamConfig) {
		s.Replicas = 3
		if change != nil {
			change(s)
		}
	})
	return c
}

func (c *cluster) addresses() (all []value.Address) {
	for _, s := range c.servers {
		all = append(all, s.url())
	}
	return all
}

// leader waits for a leader of the stream with up-to-date followers, and returns its index.
func (c *cluster) leader(t *testing.T) (i int) {
	t.Helper()
	poll.UntilNil(t, "the stream has a leader and current followers", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		stream, err := c.js.Stream(ctx, streamOfTest)
		if err != nil {
			return err
		}
		info := stream.CachedInfo().Cluster
		if info == nil || info.Leader == "" {
			return errors.New("no leader")
		}
		for _, replica := range info.Replicas {
			if !replica.Current || replica.Offline {
				return fmt.Errorf("%s is not current", replica.Name)
			}
		}
		_, err = fmt.Sscanf(info.Leader, "n%d", &i)
		return err
	})
	return i
}

// stepDown makes the leader of the stream give up, and does not wait for another.
func (c *cluster) stepDown() {
	_ = c.nc.Publish("$JS.API.STREAM.LEADER.STEPDOWN."+streamOfTest, nil) // or the client connects again
}

// underLoad delivers events until a fault has been called several times, each after the delivery of
// more events. It checks what the stream contains.
func (c *cluster) underLoad(t *testing.T, s *Sink, faults int, fault func()) {
	t.Helper()
	const batch = 1000
	var accepted atomic.Int64
	var enough atomic.Bool
	var failures []error
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !enough.Load() {
			failures = append(failures, deliver(t, s, sinktest.Events(int(accepted.Load())+1, batch))...)
			accepted.Add(batch)
		}
	}()
	for range faults {
		goal := accepted.Load() + 2*batch
		poll.Until(t, "events are delivered", func() bool { return accepted.Load() >= goal })
		fault()
	}
	enough.Store(true)
	<-done
	t.Logf("%d events, %d failed attempts; the first: %v", accepted.Load(), len(failures), first(failures))
	checkExactlyOnce(t, stored(t, c.js), int(accepted.Load()))
}

func first(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	return errs[0]
}

func TestOrderWhenTheLeaderStepsDown(t *testing.T) {
	if testing.Short() {
		t.Skip("takes several elections")
	}
	c := startCluster(t, nil)
	s := newSink(t, config(c.addresses()...))
	c.underLoad(t, s, 10, func() {
		c.leader(t)
		c.stepDown()
	})
}

func TestOrderWhenTheLeaderIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes several elections")
	}
	c := startCluster(t, nil)
	s := newSink(t, config(c.addresses()...))
	c.underLoad(t, s, 2, func() {
		leader := c.servers[c.leader(t)]
		leader.Kill()
		leader.Restart()
	})
}
