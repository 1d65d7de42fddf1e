// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// An EchoClient sends echo requests to the family. It opens its socket when needed and
// never subscribes. It is not safe for concurrent use.
type EchoClient struct {
	dial func() (echoConn, error)
	conn echoConn
}

// echoConn is the part of a *genetlink.Conn that the client uses.
type echoConn interface {
	SetDeadline(t time.Time) error
	Execute(m genetlink.Message, family uint16, flags netlink.HeaderFlags) ([]genetlink.Message, error)
	Close() error
	resolve() (FamilyIDs, error)
}

type genetlinkConn struct{ *genetlink.Conn }

var _ echoConn = genetlinkConn{}

func (c genetlinkConn) resolve() (FamilyIDs, error) {
	r, err := resolve(c.Conn, Genltest)
	if err != nil {
		return FamilyIDs{}, err
	}
	if r.Family.ID == noFamily {
		return FamilyIDs{}, ErrFamilyAbsent
	}
	if _, missing := Genltest.Choose(r.Family.Groups); missing != nil {
		return FamilyIDs{}, errNamesake
	}
	return r.Family, nil
}

var errNamesake = errors.New("family " + FamilyName + " does not contain the multicast group " + GroupName +
	": another module registered this name; unload it")

// NewEchoClient returns a client that opens its socket at the first request.
func NewEchoClient() *EchoClient {
	return &EchoClient{dial: func() (echoConn, error) {
		conn, err := genetlink.Dial(nil)
		if err != nil {
			return nil, fmt.Errorf("open the echo socket: %w", err)
		}
		return genetlinkConn{conn}, nil
	}}
}

// echoText is the text of the health check. The module writes it to the kernel log.
const echoText = "genltestd health check"

// Probe is Echo with the text of the health check.
func (c *EchoClient) Probe(ctx context.Context) (string, error) { return c.Echo(ctx, echoText) }

// Echo sends one echo request and returns the text of the reply. It returns
// ErrFamilyAbsent if the family is not registered, and os.ErrDeadlineExceeded if the
// context ends before a reply arrives.
//
// After any error it closes the socket, and the next request opens a new one. Otherwise a
// late reply would be read as the reply to the next request.
func (c *EchoClient) Echo(ctx context.Context, text string) (string, error) {
	reply, err := c.echo(ctx, text)
	if err != nil {
		return "", errors.Join(err, c.Close())
	}
	return reply, nil
}

func (c *EchoClient) echo(ctx context.Context, text string) (string, error) {
	if c.conn == nil {
		conn, err := c.dial()
		if err != nil {
			return "", err
		}
		c.conn = conn
	}
	conn := c.conn
	// The id is resolved for each request: after a reload, the previous id may belong
	// to another family, which must not receive our commands.
	ids, err := conn.resolve()
	if err != nil {
		return "", err
	}
	defer context.AfterFunc(ctx, func() {
		_ = conn.SetDeadline(time.Unix(1, 0)) // fails only on a closed socket, which ends the wait too
	})()
	return exchange(conn, ids.ID, text)
}

func exchange(conn echoConn, family uint16, text string) (string, error) {
	ae := netlink.NewAttributeEncoder()
	ae.String(attrMsg, text)
	attrs, err := ae.Encode()
	if err != nil {
		return "", fmt.Errorf("encode the echo request: %w", err)
	}
	// The request does not ask for an acknowledgement: the family replies, and an
	// acknowledgement would stay queued and be read as the next reply. Execute compares
	// port id and sequence number.
	replies, err := conn.Execute(genetlink.Message{
		Header: genetlink.Header{Command: cmdEcho, Version: version}, Data: attrs,
	}, family, netlink.Request)
	if err != nil {
		return "", fmt.Errorf("echo: %w", err)
	}
	return replyText(replies)
}

func replyText(replies []genetlink.Message) (string, error) {
	if len(replies) != 1 {
		return "", fmt.Errorf("echo: %d replies to one request", len(replies))
	}
	if command := replies[0].Header.Command; command != cmdEcho {
		return "", fmt.Errorf("echo: reply has command %d, not %d", command, cmdEcho)
	}
	fields, err := parseEvent(replies[0].Data)
	if err != nil {
		return "", fmt.Errorf("echo: reply: %w", err)
	}
	return string(fields.Message), nil
}

// Close frees the socket. The client can be used again.
func (c *EchoClient) Close() error {
	if c.conn == nil {
		return nil
	}
	err := c.conn.Close()
	c.conn = nil
	return err
}
