// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"context"
	"fmt"
	"net"
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

// A natsServer is one server with JetStream, and one stream.
type natsServer struct {
	*realserver.Server
	address, file string
	access        access
	options       []nats.Option // of the test's own client
}

const natsStream = "EVENTS"

func startNATS(t *testing.T, a access) broker {
	t.Helper()
	dir := t.TempDir()
	s := &natsServer{address: sinktest.FreeAddress(t), file: filepath.Join(dir, "server.conf"), access: a}
	text := fmt.Sprintf("listen: %q\njetstream { store_dir: %q, sync_interval: always }\n", s.address, filepath.Join(dir, "store"))
	scheme := "nats://"
	if a.user != "" {
		text += fmt.Sprintf("authorization { users: [{user: %q, password: %q}] }\n", a.user, a.password)
		s.options = append(s.options, nats.UserInfo(a.user, a.password))
	}
	if a.tls != nil {
		text += fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }\n", a.tls.cert, a.tls.key, a.tls.ca)
		scheme = "tls://"
		s.options = append(s.options, nats.RootCAs(a.tls.ca), nats.ClientCert(a.tls.cert, a.tls.key))
	}
	write(t, s.file, text)
	s.Server = realserver.Start(t, realserver.Spec{Program: "nats-server", Args: []string{"-c", s.file}, Ready: listens(s.address)})
	nc, js := natsClient(t, scheme+s.address, s.options...)
	defer nc.Close()
	createNATSStream(t, js, 1)
	return s
}

// listens returns a function that connects to an address.
func listens(address string) func() error {
	return func() error {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

func natsClient(t *testing.T, urls string, options ...nats.Option) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	options = append(options, nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectWait(20*time.Millisecond),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	nc, err := nats.Connect(urls, options...)
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

func createNATSStream(t *testing.T, js jetstream.JetStream, replicas int) {
	t.Helper()
	poll.UntilNil(t, "the stream is created", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: natsStream, Subjects: []string{"genltestd.>"}, AllowBatchPublish: true, AllowDirect: true, Replicas: replicas,
			Duplicates: 10 * time.Minute, Discard: jetstream.DiscardNew,
		})
		return err
	})
}

func (s *natsServer) addresses() []string { return []string{s.address} }
func (s *natsServer) kill()               { s.Kill() }
func (s *natsServer) restart()            { s.Restart() }
func (s *natsServer) freeze()             { s.Freeze() }
func (s *natsServer) thaw()               { s.Thaw() }

func (s *natsServer) sink(addresses []string, c clientAccess) string { return natsSink(addresses, c) }

func natsSink(addresses []string, c clientAccess) string {
	scheme, rest := "nats://", ""
	if c.user != "" {
		rest = fmt.Sprintf("  user: %s\n  password: {file: %s}\n", c.user, c.passwordFile)
	}
	if c.tls != nil {
		scheme = "tls://"
		rest += fmt.Sprintf("  tls: {ca: %s, cert: %s, key: %s}\n", c.tls.ca, c.tls.cert, c.tls.key)
	}
	return fmt.Sprintf("nats:\n  addresses: [%s]\n%s", scheme+strings.Join(addresses, ", "+scheme), rest)
}

func (s *natsServer) stored(t *testing.T) []string {
	t.Helper()
	scheme := "nats://"
	if s.access.tls != nil {
		scheme = "tls://"
	}
	nc, js := natsClient(t, scheme+s.address, s.options...)
	defer nc.Close()
	return natsIDs(t, js)
}

// natsIDs returns the ids of all messages in the stream.
func natsIDs(t *testing.T, js jetstream.JetStream) (ids []string) {
	t.Helper()
	poll.UntilNil(t, "the stream is read", func() (err error) {
		ids, err = readNATS(t.Context(), js)
		return err
	})
	return ids
}

func readNATS(ctx context.Context, js jetstream.JetStream) (ids []string, err error) {
	stream, err := js.Stream(ctx, natsStream)
	if err != nil {
		return nil, err
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return nil, nil
	}
	consumer, err := js.OrderedConsumer(ctx, natsStream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, err
	}
	defer messages.Stop()
	for {
		// A consumer may stay silent if it was created during an election.
		m, err := messages.Next(jetstream.NextMaxWait(3 * time.Second))
		if err != nil {
			return nil, err
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, err
		}
		ids = append(ids, m.Headers().Get(nats.MsgIdHdr))
		if meta.Sequence.Stream >= state.LastSeq {
			return ids, nil
		}
	}
}

func TestNATS(t *testing.T) {
	run(t, kind{start: startNATS, keys: "attempt_timeout: 2s"})
}
