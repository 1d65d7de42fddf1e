// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/faultproxy"
	"github.com/genltestd/genltestd/internal/realserver"
)

// A cluster has three brokers in one process, each behind a proxy.
type cluster struct {
	*realserver.Server
	proxies []*faultproxy.Proxy
	control string
	frozen  bool
	direct  []string // addresses of the brokers behind the proxies
}

// startCluster starts a cluster with more flags.
func startCluster(t testing.TB, flags ...string) *cluster {
	t.Helper()
	dir := t.TempDir()
	c := &cluster{control: filepath.Join(dir, "control")}
	args := []string{"-data", filepath.Join(dir, "data"), "-control", c.control}
	for range 3 {
		address := sinktest.FreeAddress(t)
		proxy := faultproxy.New(t, address)
		c.proxies, c.direct = append(c.proxies, proxy), append(c.direct, address)
		args = append(args, "-listen", address, "-advertise", proxy.Addr())
	}
	c.Server = realserver.Start(t, realserver.Spec{
		Program: "kfake-server", Args: append(args, flags...), Ready: func() error { return c.try("clear") },
	})
	return c
}

// try sends a command to the control socket.
func (c *cluster) try(command string) error {
	conn, err := net.Dial("unix", c.control)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprintln(conn, command)
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && answer != "ok\n" {
		err = fmt.Errorf("%s: %s", command, answer)
	}
	return err
}

func (c *cluster) command(t *testing.T, format string, args ...any) {
	t.Helper()
	if err := c.try(fmt.Sprintf(format, args...)); err != nil {
		t.Fatal(err)
	}
}

// each calls a fault of every proxy.
func (c *cluster) each(fault func(*faultproxy.Proxy)) {
	for _, p := range c.proxies {
		fault(p)
	}
}

// addresses returns the brokers with a scheme.
func (c *cluster) addresses(scheme string) (list []value.Address) {
	for _, p := range c.proxies {
		list = append(list, value.Address(scheme+"://"+p.Addr()))
	}
	return list
}

// A consumed is a record as kcat prints it.
type consumed struct {
	Topic     string
	Partition int
	Key       string
	Payload   string
	Headers   []string // alternating names and values
	TS        int64
}

func (r *consumed) header(name string) string {
	for i := 0; i+1 < len(r.Headers); i += 2 {
		if r.Headers[i] == name {
			return r.Headers[i+1]
		}
	}
	return ""
}

// consume reads a topic with kcat, a client of another library.
func (c *cluster) consume(t *testing.T, topic string, flags ...string) (records []consumed) {
	t.Helper()
	args := append([]string{"-C", "-J", "-e", "-q", "-o", "beginning", "-t", topic, "-b", c.proxies[0].Addr()}, flags...)
	cmd := exec.Command(sinktest.Program(t, "kcat"), args...)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kcat: %v\n%s", err, errors.String())
	}
	for line := range strings.Lines(string(out)) {
		var r consumed
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("kcat: %v: %s", err, line)
		}
		records = append(records, r)
	}
	return records
}

const testTopic = "events"

// testConfig returns the defaults, with plain connections.
func testConfig(c *cluster) *Config {
	return &Config{
		Addresses: c.addresses("tcp"), Topic: testTopic, Key: "{{.Host}}", Compression: "none", ClientID: "test",
		SASL: SASL{Mechanism: saslNone}, MaxMessage: 1e6,
	}
}

func newSink(t testing.TB, c *Config) *Sink {
	t.Helper()
	s, err := New(c, sink.Env{Version: "1.0", Encoder: event.JSON{}, Compile: sinktest.Compile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
