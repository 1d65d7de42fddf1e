// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	redigo "github.com/gomodule/redigo/redis"

	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// A conn is one connection to the server, which has accepted the user.
type conn struct {
	redigo.Conn
	wire     *wire
	password string
	files    tlsclient.Version
	several  bool // the transaction that is being read has MULTI and EXEC

	// unconfirmed are the ids of stored events that too few replicas have acknowledged.
	unconfirmed []string
}

// connect opens a connection, unless one is open and current.
func (s *Sink) connect(ctx context.Context) error {
	password, err := s.readPassword()
	if err != nil {
		return fmt.Errorf("password: %w", err)
	}
	files := tlsclient.VersionOf(&s.config.TLS)
	if s.conn != nil && (s.conn.password != password || !s.conn.files.Equal(files) || s.conn.wire.idle() != nil) {
		s.disconnect()
	}
	if s.conn != nil {
		return nil
	}
	w, err := s.dial(ctx)
	if err != nil {
		return s.failed(err, ctx.Err())
	}
	defer w.bind(ctx)()
	c := &conn{Conn: redigo.NewConn(w, 0, 0), wire: w, password: password, files: files}
	if err := s.greet(c); err != nil {
		w.abort()
		return s.failed(err, ctx.Err())
	}
	s.conn = c
	return nil
}

// readPassword returns an empty password if it is not configured. The Mask knows the password
// before the server does.
func (s *Sink) readPassword() (password string, err error) {
	if s.config.Password.IsZero() {
		return "", nil
	}
	password, err = secret.Read(s.config.Password)
	if err != nil {
		return "", err
	}
	var texts redact.Texts
	texts.Add(password)
	s.secrets.Set(texts)
	return password, nil
}

// keepAlive detects a server that disappeared while the connection is idle.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// dial resolves the name, connects, and completes the handshake of TLS.
func (s *Sink) dial(ctx context.Context) (*wire, error) {
	network, place := "unix", s.config.Address.SocketPath()
	if place == "" {
		network, place = "tcp", s.config.Address.HostPort()
	}
	dialer := net.Dialer{KeepAliveConfig: keepAlive}
	raw, err := dialer.DialContext(ctx, network, place)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: raw, raw: raw}
	if !s.config.Address.HasScheme(schemeTLS) {
		return w, nil
	}
	if w.Conn, err = tlsclient.Handshake(ctx, raw, &s.config.TLS, place); err != nil {
		w.abort()
		return nil, err
	}
	return w, nil
}

// greet authenticates and selects the database. It always waits for an answer: no events are
// sent to a server that hangs, which would store them once for each attempt.
func (s *Sink) greet(c *conn) error {
	if err := s.authenticate(c); err != nil {
		return err
	}
	if _, err := c.Do("CLIENT", "SETNAME", s.clientName()); err != nil && !isDispensable(err) {
		return err
	}
	if s.config.Database > 0 {
		if _, err := c.Do("SELECT", s.config.Database); err != nil {
			return fmt.Errorf("SELECT %d: %w", s.config.Database, err)
		}
	}
	return s.rehearse(c)
}

func (s *Sink) authenticate(c *conn) error {
	if c.password == "" {
		return nil
	}
	args := []any{c.password}
	if s.config.User != "" {
		args = []any{s.config.User, c.password}
	}
	if _, err := c.Do("AUTH", args...); err != nil {
		return fmt.Errorf("AUTH of user %q: %w", s.user(), err)
	}
	return nil
}

// rehearse makes an empty transaction, and an empty wait for replicas. If the server does not
// allow the user to begin a transaction, it would execute the commands in it at once.
func (s *Sink) rehearse(c *conn) error {
	for _, name := range []string{"MULTI", "EXEC"} {
		if _, err := c.Do(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if s.config.Replicas > 0 {
		if _, err := c.Do("WAIT", 0, 1); err != nil {
			return fmt.Errorf("WAIT: %w", err)
		}
	}
	return nil
}

func (s *Sink) user() string {
	if s.config.User == "" {
		return "default"
	}
	return s.config.User
}

// isDispensable reports whether an error means that the user or the server does not allow
// CLIENT, which is only for CLIENT LIST.
func isDispensable(err error) bool {
	var e redigo.Error
	return errors.As(err, &e) && (strings.HasPrefix(string(e), "NOPERM") || strings.HasPrefix(string(e), "ERR unknown"))
}

// clientName returns the name for CLIENT LIST. It must not contain spaces.
func (s *Sink) clientName() string {
	return string(appendToken([]byte("genltestd-"), []byte(s.env.Sink)))
}

// disconnect ends the connection without waiting.
func (s *Sink) disconnect() {
	if s.conn != nil {
		s.conn.wire.abort()
		s.conn = nil
	}
}
