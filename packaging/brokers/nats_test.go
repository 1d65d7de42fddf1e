// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/realserver"
	"github.com/genltestd/genltestd/packaging/natscluster"
)

// A natsServer is one server with JetStream, and one stream.
type natsServer struct {
	*realserver.Server
	address, file string
	access        access
	options       []nats.Option // of the test's own client
}

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
	s.Server = realserver.Start(t, realserver.Spec{
		Program: "nats-server", Args: []string{"-c", s.file}, Ready: natscluster.Listens(s.address),
	})
	natscluster.CreateStream(t, natscluster.Client(t, scheme+s.address, s.options...), 1)
	return s
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
	return natscluster.IDs(t, natscluster.Client(t, scheme+s.address, s.options...))
}

// limit makes the stream full, and unlimit removes its limit.
func (s *natsServer) limit(t *testing.T)   { s.setLimit(t, 1) }
func (s *natsServer) unlimit(t *testing.T) { s.setLimit(t, -1) }

func (s *natsServer) setLimit(t *testing.T, messages int64) {
	t.Helper()
	js := natscluster.Client(t, "nats://"+s.address)
	poll.UntilNil(t, "the stream has its limit", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		stream, err := js.Stream(ctx, natscluster.Stream)
		if err != nil {
			return err
		}
		c := stream.CachedInfo().Config
		if c.MaxMsgs = messages; messages > 0 {
			c.MaxMsgs = int64(stream.CachedInfo().State.Msgs) + 1500 // a stream above its limit would delete messages
		}
		_, err = js.UpdateStream(ctx, c)
		return err
	})
}

func TestNATS(t *testing.T) {
	run(t, kind{start: startNATS, keys: "attempt_timeout: 2s"})
}
