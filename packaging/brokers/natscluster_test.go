// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"context"
	"errors"
	"fmt"
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

// A natsCluster is three servers with a stream on all of them, which sync each write.
type natsCluster struct {
	servers [3]*realserver.Server
	listen  []string
	nc      *nats.Conn
	js      jetstream.JetStream
}

// no_advertise keeps clients on the proxies.
const natsClusterConfig = `
server_name: n%d
listen: %q
jetstream { store_dir: %q, sync_interval: always }
cluster { name: test, listen: %q, routes: [%s], no_advertise: true }
`

func startNATSCluster(t *testing.T, _ access) broker {
	t.Helper()
	c := &natsCluster{}
	var peers []string
	for range c.servers {
		c.listen = append(c.listen, sinktest.FreeAddress(t))
		peers = append(peers, sinktest.FreeAddress(t))
	}
	routes := "nats://" + strings.Join(peers, ", nats://")
	for i := range c.servers {
		dir := t.TempDir()
		file := filepath.Join(dir, "server.conf")
		write(t, file, fmt.Sprintf(natsClusterConfig, i, c.listen[i], filepath.Join(dir, "store"), peers[i], routes))
		c.servers[i] = realserver.Start(t, realserver.Spec{Program: "nats-server", Args: []string{"-c", file}, Ready: listens(c.listen[i])})
	}
	c.nc, c.js = natsClient(t, "nats://"+strings.Join(c.listen, ",nats://"))
	t.Cleanup(c.nc.Close)
	createNATSStream(t, c.js, len(c.servers))
	return c
}

func (c *natsCluster) addresses() []string { return c.listen }

func (c *natsCluster) each(do func(*realserver.Server)) {
	for _, s := range c.servers {
		do(s)
	}
}

func (c *natsCluster) kill()    { c.each((*realserver.Server).Kill) }
func (c *natsCluster) restart() { c.each((*realserver.Server).Restart) }
func (c *natsCluster) freeze()  { c.each((*realserver.Server).Freeze) }
func (c *natsCluster) thaw()    { c.each((*realserver.Server).Thaw) }

func (c *natsCluster) sink(addresses []string, a clientAccess) string { return natsSink(addresses, a) }

func (c *natsCluster) stored(t *testing.T) []string {
	t.Helper()
	return natsIDs(t, c.js)
}

// killLeader waits for a leader with two followers that are up to date: a majority of the servers
// must survive.
func (c *natsCluster) killLeader(t *testing.T) (restart func()) {
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
	c.servers[n].Kill()
	return c.servers[n].Restart
}

func (c *natsCluster) leader(t *testing.T) (name string, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	stream, err := c.js.Stream(ctx, natsStream)
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

func natsClusterKind() kind {
	return kind{start: startNATSCluster, keys: "attempt_timeout: 5s"}
}

func TestNATSClusterLosesItsLeader(t *testing.T) {
	if testing.Short() {
		t.Skip("needs some seconds")
	}
	k := natsClusterKind()
	leaderIsKilled(t, &k)
}

func TestNATSClusterSoak(t *testing.T) { soak(t, natsClusterKind()) }
