// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/kernelmsg"
)

// fakeConn is a kernel that can return errors and wrong replies.
type fakeConn struct {
	ids      FamilyIDs
	absent   error
	replies  []genetlink.Message
	err      error
	hang     bool
	deadline chan struct{} // closed when a deadline in the past is set

	family uint16
	flags  netlink.HeaderFlags
	closed bool
}

func (c *fakeConn) SetDeadline(t time.Time) error {
	if !t.IsZero() && t.Before(time.Now()) {
		close(c.deadline)
	}
	return nil
}

func (c *fakeConn) Execute(_ genetlink.Message, family uint16, flags netlink.HeaderFlags) ([]genetlink.Message, error) {
	c.family, c.flags = family, flags
	if c.hang {
		<-c.deadline
		return nil, os.ErrDeadlineExceeded
	}
	return c.replies, c.err
}

func (c *fakeConn) Close() error { c.closed = true; return nil }

func (c *fakeConn) resolve() (FamilyIDs, error) { return c.ids, c.absent }

func reply(cmd uint8, attrs []byte) []genetlink.Message {
	return []genetlink.Message{{Header: genetlink.Header{Command: cmd, Version: version}, Data: attrs}}
}

func TestProbe(t *testing.T) {
	good := reply(cmdEcho, kernelmsg.Text("Hello"))
	tests := map[string]struct {
		conn    fakeConn
		wantErr string // part of it; empty means success
		is      error
	}{
		"answered":          {conn: fakeConn{replies: good}},
		"family absent":     {conn: fakeConn{absent: ErrFamilyAbsent}, wantErr: "not registered", is: os.ErrNotExist},
		"no answer in time": {conn: fakeConn{hang: true}, wantErr: "timeout", is: os.ErrDeadlineExceeded},
		"refused":           {conn: fakeConn{err: unix.EPERM}, wantErr: "operation not permitted", is: unix.EPERM},
		"two replies":       {conn: fakeConn{replies: append(good, good...)}, wantErr: "2 replies"},
		"no reply":          {conn: fakeConn{}, wantErr: "0 replies"},
		"another command":   {conn: fakeConn{replies: reply(2, kernelmsg.Text("x"))}, wantErr: "command 2"},
		"no text":           {conn: fakeConn{replies: reply(cmdEcho, nil)}, wantErr: "missing text"},
		"garbage":           {conn: fakeConn{replies: reply(cmdEcho, []byte{9, 9, 9, 9})}, wantErr: "does not fit"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			conn := &test.conn
			conn.ids, conn.deadline = FamilyIDs{ID: 34}, make(chan struct{})
			client := &EchoClient{dial: func() (echoConn, error) { return conn, nil }}
			limit := time.Minute // ends a probe that hangs
			if conn.hang {
				limit = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			got, err := client.Probe(ctx)
			if test.wantErr == "" {
				if err != nil || got != "Hello" {
					t.Fatalf("Probe() = %q, %v", got, err)
				}
				if conn.closed {
					t.Error("the socket was closed after success")
				}
				if conn.family != 34 || conn.flags != netlink.Request {
					t.Errorf("asked family %d with flags %v", conn.family, conn.flags)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.wantErr) {
				t.Fatalf("error %v, want one with %q", err, test.wantErr)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error %v is not %v", err, test.is)
			}
			if !conn.closed {
				t.Error("the socket was kept after an error: a late reply would be read as the next one")
			}
		})
	}
}

func TestProbeOpensAnotherSocketAfterAnError(t *testing.T) {
	bad := &fakeConn{err: unix.ENOBUFS, deadline: make(chan struct{})}
	good := &fakeConn{replies: reply(cmdEcho, kernelmsg.Text("Hello")), deadline: make(chan struct{})}
	conns := []*fakeConn{bad, good}
	client := &EchoClient{dial: func() (echoConn, error) {
		c := conns[0]
		conns = conns[1:]
		return c, nil
	}}
	if _, err := client.Probe(t.Context()); !errors.Is(err, unix.ENOBUFS) {
		t.Fatalf("first probe: %v", err)
	}
	for range 2 {
		if _, err := client.Probe(t.Context()); err != nil {
			t.Fatalf("later probe: %v", err)
		}
	}
	if len(conns) != 0 {
		t.Errorf("%d sockets not used", len(conns))
	}
}
