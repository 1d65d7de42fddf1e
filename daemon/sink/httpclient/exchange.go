// SPDX-License-Identifier: Apache-2.0

package httpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/genltestd/genltestd/daemon/sink/stream"
)

// An Exchange is one request and its response. The transport calls it from its own
// goroutines.
type Exchange struct {
	body     atomic.Pointer[body] // the body that the transport reads
	conn     atomic.Pointer[net.Conn]
	reused   atomic.Bool // the connection has carried a request before
	answered atomic.Bool // the response has begun
}

// trace makes the transport report the connection that it uses.
func (x *Exchange) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			x.conn.Store(&info.Conn)
			x.reused.Store(info.Reused)
		},
		GotFirstResponseByte: func() { x.answered.Store(true) },
	})
}

// idleClosed reports whether the server has closed an idle connection while the request
// was sent, and cannot have received it completely. The request is then repeated on
// another connection; the transport itself does so only if no byte was sent.
func (x *Exchange) idleClosed(ctx context.Context, err error) bool {
	return x.reused.Load() && !x.answered.Load() && ctx.Err() == nil && closed(err) && x.incomplete()
}

// closed reports whether an error means that the server has closed the connection. The
// transport detects that first, and then closes the connection too.
func closed(err error) bool {
	const transports = "http: server closed idle connection" // not exported by the transport
	return stream.Ended(err) || errors.Is(err, net.ErrClosed) || err.Error() == transports
}

// incomplete reports whether a part of the request is not sent, or not acknowledged by the
// server's kernel. For HTTP/2 only the first is known, because its connection carries more
// than the request.
func (x *Exchange) incomplete() bool {
	if body := x.body.Load(); body != nil && body.unread.Load() > 0 {
		return true
	}
	connection := x.conn.Load()
	return connection != nil && unacknowledged(*connection)
}

func unacknowledged(c net.Conn) bool {
	for {
		switch layer := c.(type) {
		case *tls.Conn:
			if layer.ConnectionState().NegotiatedProtocol == "h2" {
				return false
			}
			c = layer.NetConn()
		case *conn:
			return layer.unacknowledged() > 0
		default:
			return false
		}
	}
}
