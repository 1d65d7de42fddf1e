// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"fmt"
	"net"
	"testing"

	"github.com/gomodule/redigo/redis"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
	"github.com/genltestd/genltestd/internal/realserver"
)

// A redisServer writes each event to its disk before it answers.
type redisServer struct {
	*realserver.Server
	address string
	access  access
}

const redisStream = "genltestd"

func startRedis(t *testing.T, a access) broker {
	t.Helper()
	s := &redisServer{address: sinktest.FreeAddress(t), access: a}
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := []string{"--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always"}
	if a.user != "" {
		args = append(args, "--user", "default", "off", "--user", a.user, "on", ">"+a.password, "~*", "+@all")
	}
	if a.tls == nil {
		args = append(args, "--port", port)
	} else {
		args = append(args, "--port", "0", "--tls-port", port, "--tls-auth-clients", "yes",
			"--tls-ca-cert-file", a.tls.ca, "--tls-cert-file", a.tls.cert, "--tls-key-file", a.tls.key)
	}
	s.Server = realserver.Start(t, realserver.Spec{Program: "redis-server", Args: args, Dir: dir, Ready: s.listens})
	return s
}

// listens connects without a login, because the server may have an expired certificate.
func (s *redisServer) listens() error {
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		return err
	}
	return c.Close()
}

func (s *redisServer) addresses() []string { return []string{s.address} }
func (s *redisServer) kill()               { s.Kill() }
func (s *redisServer) restart()            { s.Restart() }
func (s *redisServer) freeze()             { s.Freeze() }
func (s *redisServer) thaw()               { s.Thaw() }

func (s *redisServer) sink(addresses []string, c clientAccess) string {
	scheme, rest := "redis://", ""
	if c.user != "" {
		rest = fmt.Sprintf("  user: %s\n  password: {file: %s}\n", c.user, c.passwordFile)
	}
	if c.tls != nil {
		scheme = "rediss://"
		rest += fmt.Sprintf("  tls: {ca: %s, cert: %s, key: %s}\n", c.tls.ca, c.tls.cert, c.tls.key)
	}
	return fmt.Sprintf("redis:\n  address: %s\n  stream: %s\n%s", scheme+addresses[0], redisStream, rest)
}

// do runs a command of the test itself.
func (s *redisServer) do(t *testing.T, name string, args ...any) any {
	t.Helper()
	var options []redis.DialOption
	if s.access.user != "" {
		options = append(options, redis.DialUsername(s.access.user), redis.DialPassword(s.access.password))
	}
	if files := s.access.tls; files != nil {
		settings := sinktest.TLS(files.ca, files.cert, files.key)
		config, err := tlsclient.Config(&settings)
		if err != nil {
			t.Fatal(err)
		}
		options = append(options, redis.DialUseTLS(true), redis.DialTLSConfig(config))
	}
	c, err := redis.Dial("tcp", s.address, options...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	reply, err := c.Do(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func (s *redisServer) stored(t *testing.T) (ids []string) {
	t.Helper()
	entries, err := redis.Values(s.do(t, "XRANGE", redisStream, "-", "+"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		fields, err := redis.Strings(entry.([]any)[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, fields[1]) // of the first field, which is the id
	}
	return ids
}

// limit sets a limit of memory that is already exceeded.
func (s *redisServer) limit(t *testing.T) {
	s.do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1")
}
func (s *redisServer) unlimit(t *testing.T) { s.do(t, "CONFIG", "SET", "maxmemory", "0") }

func TestRedis(t *testing.T) {
	run(t, kind{start: startRedis, window: 256, keys: "attempt_timeout: 1s"})
}
