// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"testing"

	"github.com/genltestd/genltestd/internal/realserver"
	"github.com/genltestd/genltestd/packaging/natscluster"
)

// A natsCluster is three servers with a stream on all of them.
type natsCluster struct{ *natscluster.Cluster }

func startNATSCluster(t *testing.T, _ access) broker {
	t.Helper()
	return &natsCluster{natscluster.Start(t)}
}

func (c *natsCluster) addresses() []string { return c.Addresses }

func (c *natsCluster) each(do func(*realserver.Server)) {
	for _, s := range c.Servers {
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
	return natscluster.IDs(t, c.JS)
}

func (c *natsCluster) killLeader(t *testing.T) (restart func()) {
	t.Helper()
	return c.KillLeader(t)
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
