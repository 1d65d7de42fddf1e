// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

const (
	// connectTimeout bounds the handshake with one server, so that an attempt can try several.
	connectTimeout = 2 * time.Second
	// writeTimeout bounds a write to a server that does not read.
	writeTimeout = 2 * time.Second
	// pingInterval finds servers that have disappeared while the connection was idle.
	pingInterval = 20 * time.Second
	// maxAnswers is the number of answers that wait for the sink. More are dropped: the sink
	// asks again.
	maxAnswers = 4096
)

// A link is one connection. It is never reconnected: Deliver opens another one, so that the
// pauses between attempts are those of delivery, and no buffer hides a failure.
type link struct {
	address value.Address
	access  *access
	files   tlsclient.Version
	conn    *nats.Conn
	wire    *wire
	inbox   string      // beginning of the subjects of answers, with a dot at its end
	answers chan answer // to all messages of the connection
	count   uint64      // of messages that were published alone

	batches batchSupport
	window  int         // of a batch
	silent  bool        // an attempt has ended without an answer
	retired atomic.Bool // the server is about to stop
}

// batchSupport is the knowledge whether the stream accepts batches.
type batchSupport int

const (
	batchesUnknown batchSupport = iota
	batchesAccepted
	batchesRefused
)

// dial opens a link to one server.
func dial(ctx context.Context, c *Config, address value.Address, a *access) (*link, error) {
	l := &link{address: address, access: a, answers: make(chan answer, maxAnswers), window: 1}
	d := &dialer{ctx: ctx, release: func() bool { return true }}
	options, err := l.options(d, c)
	if err != nil {
		return nil, err
	}
	l.conn, err = nats.Connect(string(address), options...)
	interrupted := !d.release()
	if err != nil || interrupted {
		return nil, cmp.Or(ctx.Err(), err)
	}
	l.wire = d.wire
	l.inbox = c.InboxPrefix + "." + nuid.Next() + "."
	if _, err := l.conn.Subscribe(l.inbox+">", l.receive); err != nil {
		l.close()
		return nil, fmt.Errorf("subscribe to %s: %w", l.inbox, err)
	}
	return l, nil
}

func (l *link) options(d *dialer, c *Config) ([]nats.Option, error) {
	options := []nats.Option{
		l.access.option, nats.Name("genltestd"), nats.NoReconnect(), nats.NoEcho(), nats.SkipHostLookup(), nats.Timeout(connectTimeout),
		nats.SetCustomDialer(d), nats.FlusherTimeout(writeTimeout), nats.PingInterval(pingInterval),
		nats.CustomInboxPrefix(c.InboxPrefix), nats.IgnoreDiscoveredServers(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { l.add(answer{err: err}) }),
		nats.ClosedHandler(func(nc *nats.Conn) { l.add(answer{err: closedError(nc.LastError())}) }),
		nats.LameDuckModeHandler(func(*nats.Conn) { l.retired.Store(true) }),
	}
	if !l.address.HasScheme(schemeTLS) {
		return options, nil
	}
	l.files = tlsclient.VersionOf(&c.TLS)
	settings, err := tlsclient.Config(&c.TLS)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	options = append(options, nats.Secure(settings))
	if c.TLSFirst {
		options = append(options, nats.TLSHandshakeFirst())
	}
	return options, nil
}

func closedError(err error) error {
	if err == nil {
		err = nats.ErrConnectionClosed
	}
	return err
}

// stale reports whether another connection must replace the link.
func (l *link) stale(c *Config, a *access) bool {
	switch {
	case l.conn.IsClosed(), l.retired.Load(), !l.access.equal(a):
		return true
	case l.address.HasScheme(schemeTLS):
		return !l.files.Equal(tlsclient.VersionOf(&c.TLS))
	}
	return false
}

// ping reports whether the server answers in time.
func (l *link) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return l.conn.FlushWithContext(ctx)
}

// close ends the connection at once: nothing is left to send.
func (l *link) close() {
	l.wire.Close()
	l.conn.Close()
}

// bind makes a write return that the server does not read when the context ends.
func (l *link) bind(ctx context.Context) (release func()) {
	return sink.AfterFunc(ctx, func() {
		if l.wire.writing.Load() > 0 {
			l.wire.Close()
		}
	})
}

// A wire is the connection below TLS.
type wire struct {
	net.Conn
	writing atomic.Int32 // writes that have not returned
}

func (w *wire) Write(p []byte) (int, error) {
	w.writing.Add(1)
	defer w.writing.Add(-1)
	return w.Conn.Write(p)
}

// A dialer connects within the context of an attempt, which bounds the handshake too.
type dialer struct {
	ctx     context.Context
	wire    *wire       // nil before a connection exists
	release func() bool // ends the influence of the context
}

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.ctx, connectTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.wire = &wire{Conn: conn}
	d.release = context.AfterFunc(d.ctx, func() { conn.Close() })
	return d.wire, nil
}

// connect opens a link, unless the present one can be used. It tries the servers in another
// order each time, so that many daemons spread over them.
func (s *Sink) connect(ctx context.Context) error {
	a, err := s.config.access()
	if err != nil {
		return err
	}
	s.secrets.Set(a.texts()) // before the server receives them
	if s.link != nil && (s.link.stale(s.config, a) || s.link.silent && s.link.ping(ctx) != nil) {
		s.disconnect()
	}
	if s.link != nil {
		s.link.silent = false
		return nil
	}
	var errs []error
	for _, i := range rand.Perm(len(s.config.Addresses)) {
		address := s.config.Addresses[i]
		if s.link, err = dial(ctx, s.config, address, a); err == nil {
			return nil
		}
		errs = append(errs, s.explainConnect(address, a, err))
		if isAuthorization(err) || ctx.Err() != nil {
			break // the other servers of the cluster have the same users
		}
	}
	return errors.Join(errs...)
}
