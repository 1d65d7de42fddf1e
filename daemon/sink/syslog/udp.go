// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/stream"
)

// udp is the transport that may lose messages. It detects the answer of a host that the
// port is closed, and then tries the other addresses of the name.
type udp struct {
	address   string
	resolve   func(ctx context.Context, address string) ([]netip.AddrPort, error)
	addresses []netip.AddrPort // the addresses of the name; the first is in use
	conn      *net.UDPConn
	until     time.Time
}

func newUDP(address string) *udp { return &udp{address: address, resolve: resolve} }

// resolveEvery is how long the addresses of a name are used: UDP does not report that the
// name has moved.
const resolveEvery = time.Minute

// resolve returns all addresses of a host and port, in the order of RFC 6724.
func resolve(ctx context.Context, address string) (addresses []netip.AddrPort, err error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for _, a := range ips {
		addresses = append(addresses, netip.AddrPortFrom(a.Unmap(), uint16(port)))
	}
	return addresses, err
}

// send tries each address once. The first that works stays in use.
func (u *udp) send(ctx context.Context, m *messages) (int, error) {
	if err := u.lookUp(ctx); err != nil {
		return 0, fmt.Errorf("send to %s: %w", u.address, err)
	}
	var refused []error
	for range u.addresses {
		sent, err := u.attempt(ctx, m)
		if err == nil || sink.Poisoned(err) > 0 {
			return sent, err
		}
		refused = append(refused, fmt.Errorf("send to %s: %w", u.name(), err), u.close())
		if ctx.Err() != nil {
			break
		}
		u.addresses = append(u.addresses[1:], u.addresses[0])
	}
	u.until = time.Time{} // the name may have other addresses now
	return 0, errors.Join(refused...)
}

// name returns the address in use, with the name that it belongs to.
func (u *udp) name() string {
	if addr := u.addresses[0].String(); addr != u.address {
		return u.address + " at " + addr
	}
	return u.address
}

// lookUp resolves the name again after resolveEvery. The address in use stays the first,
// if it still belongs to the name.
func (u *udp) lookUp(ctx context.Context) error {
	if time.Now().Before(u.until) {
		return nil
	}
	addresses, err := u.resolve(ctx, u.address)
	if err != nil {
		return err
	}
	if len(addresses) == 0 {
		return errors.New("the name does not have an address")
	}
	if len(u.addresses) > 0 {
		if i := slices.Index(addresses, u.addresses[0]); i > 0 {
			addresses = slices.Concat(addresses[i:], addresses[:i])
		}
	}
	u.addresses, u.until = addresses, time.Now().Add(resolveEvery)
	return u.close()
}

// attempt returns an error if the host has answered that the port is closed: perhaps about
// the previous batch, if the answer was late.
func (u *udp) attempt(ctx context.Context, m *messages) (sent int, err error) {
	if u.conn == nil {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "udp", u.addresses[0].String())
		if err != nil {
			return 0, err
		}
		u.conn = conn.(*net.UDPConn) // the type for this network
	}
	defer stream.Bind(ctx, u.conn)()
	sent, err = write(u.conn, m, 0, m.count())
	if refusal := stream.SocketError(u.conn); refusal != nil {
		return 0, refusal
	}
	return sent, err
}

func (u *udp) close() error {
	conn := u.conn
	if u.conn = nil; conn == nil {
		return nil
	}
	return conn.Close()
}
