// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/realserver"
)

const (
	kafkaTopic = "events"
	// A batch can be stored twice if the brokers are killed: those of the test then forget their
	// producers.
	kafkaBatch = 500
)

// A kafkaCluster has three brokers in one process.
type kafkaCluster struct {
	*realserver.Server
	listen []string
	args   []string // of the process; the addresses that clients connect to are replaced
	first  int      // index of the first of these addresses in args
	access access
}

func startKafka(t *testing.T, a access) broker {
	t.Helper()
	dir := t.TempDir()
	control := filepath.Join(dir, "control")
	args := []string{"-sync", "-data", filepath.Join(dir, "data"), "-control", control, "-topic", kafkaTopic + ":3"}
	if a.user != "" {
		args = append(args, "-superuser", "SCRAM-SHA-256:"+a.user+":"+a.password)
	}
	if a.tls != nil {
		args = append(args, "-cert", a.tls.cert, "-key", a.tls.key, "-client-ca", a.tls.ca)
	}
	c := &kafkaCluster{access: a}
	for range 3 {
		c.listen = append(c.listen, sinktest.FreeAddress(t))
	}
	c.args = append(args, "-listen", strings.Join(c.listen, ","), "-advertise", strings.Join(c.listen, ","))
	c.first = len(c.args) - 1
	c.Server = realserver.Start(t, realserver.Spec{Program: "kfake-server", Args: c.args, Ready: func() error {
		conn, err := net.Dial("unix", control)
		if err == nil {
			err = conn.Close()
		}
		return err
	}})
	return c
}

func (c *kafkaCluster) addresses() []string { return c.listen }
func (c *kafkaCluster) kill()               { c.Kill() }
func (c *kafkaCluster) restart()            { c.Restart() }
func (c *kafkaCluster) freeze()             { c.Freeze() }
func (c *kafkaCluster) thaw()               { c.Thaw() }

// sink starts the brokers again, so that their clients connect to the proxies.
func (c *kafkaCluster) sink(addresses []string, a clientAccess) string {
	c.args[c.first] = strings.Join(addresses, ",")
	c.Restart()
	scheme, rest := "tcp://", ""
	if a.user != "" {
		rest = fmt.Sprintf("  sasl: {mechanism: SCRAM-SHA-256, user: %s, password: {file: %s}}\n", a.user, a.passwordFile)
	}
	if a.tls != nil {
		scheme = "tls://"
		rest += fmt.Sprintf("  tls: {ca: %s, cert: %s, key: %s}\n", a.tls.ca, a.tls.cert, a.tls.key)
	}
	return fmt.Sprintf("kafka:\n  topic: %s\n  addresses: [%s]\n%s", kafkaTopic, scheme+strings.Join(addresses, ", "+scheme), rest)
}

// stored reads the topic past the proxies.
func (c *kafkaCluster) stored(t *testing.T) (ids []string) {
	t.Helper()
	client, err := kgo.NewClient(c.options(t)...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	for {
		idle, stop := context.WithTimeout(ctx, 2*time.Second)
		fetches := client.PollFetches(idle)
		stop()
		if fetches.NumRecords() == 0 {
			return ids
		}
		fetches.EachRecord(func(r *kgo.Record) { ids = append(ids, string(r.Headers[0].Value)) })
	}
}

func (c *kafkaCluster) options(t *testing.T) []kgo.Opt {
	t.Helper()
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.listen...), kgo.ConsumeTopics(kafkaTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Dialer(c.dialer(t)),
	}
	if c.access.user != "" {
		opts = append(opts, kgo.SASL(scram.Auth{User: c.access.user, Pass: c.access.password}.AsSha256Mechanism()))
	}
	return opts
}

// dialer connects to a broker itself in place of its proxy.
func (c *kafkaCluster) dialer(t *testing.T) func(ctx context.Context, network, address string) (net.Conn, error) {
	t.Helper()
	var config *tls.Config
	if c.access.tls != nil {
		pair, err := tls.LoadX509KeyPair(c.access.tls.cert, c.access.tls.key)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(c.access.tls.ca)
		if err != nil {
			t.Fatal(err)
		}
		config = &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: x509.NewCertPool(), ServerName: "127.0.0.1"}
		config.RootCAs.AppendCertsFromPEM(text)
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if i := slices.Index(strings.Split(c.args[c.first], ","), address); i >= 0 {
			address = c.listen[i]
		}
		if config != nil {
			return (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

func TestKafka(t *testing.T) {
	run(t, kind{start: startKafka, window: kafkaBatch, keys: fmt.Sprintf("attempt_timeout: 2s\nbatch_events: %d", kafkaBatch)})
}
