// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// blockBytes is how much is written in one piece. A Write that is cut short by its
// context counts whole blocks.
const blockBytes = 64 << 10

// A block is a part of what Write was given.
type block struct {
	end  int   // of it in the bytes given
	wire int64 // bytes that had gone over the wire behind it
}

// lastWord bounds how long a peer is watched for a reset that follows its end of file.
const lastWord = 20 * time.Millisecond

// errEnded is for a peer that has closed its sending side.
var errEnded = fmt.Errorf("the peer closed its side of the connection before it had acknowledged everything: %w", io.EOF)

// Write writes p and waits until the peer's kernel has acknowledged it, or the context
// ends. It returns how many bytes, from the first on, were; err is nil if and only if
// that is all. After an error the connection is of no use.
//
// A TCP peer that closes the connection or its sending side, before it has acknowledged
// all of p, has taken nothing of p: whether it reads what its kernel acknowledges from
// then on cannot be known.
func (c *Conn) Write(ctx context.Context, p []byte) (acknowledged int, err error) {
	defer c.wire.queue()()
	c.blocks, c.proven = c.blocks[:0], c.wire.sent
	if !c.local {
		err = c.Check()
	}
	for start := 0; start < len(p) && err == nil; start += blockBytes {
		end := min(start+blockBytes, len(p))
		if _, err = c.conn.Write(p[start:end]); err != nil {
			break
		}
		c.blocks = append(c.blocks, block{end, c.wire.sent + int64(len(c.wire.pending))})
		if !c.local {
			err = c.await(ctx, end == len(p))
			continue
		}
		// Its queue does not show how much of it was read, only when all was.
		if err = c.await(ctx, true); err == nil {
			acknowledged = end
		}
	}
	switch {
	case err == nil:
		return len(p), nil
	case !c.local && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		acknowledged = c.partly()
	}
	return acknowledged, c.visible(fmt.Errorf("write: %w", err))
}

// partly returns how much of what was written was acknowledged while the peer was there,
// in whole blocks.
func (c *Conn) partly() (acknowledged int) {
	for _, b := range c.blocks {
		if b.wire <= c.proven {
			acknowledged = b.end
		}
	}
	return acknowledged
}

// await waits until what was written is in the send buffer, and with empty until that is
// empty too. It looks at the queue before it looks for the peer: what had left the queue
// when the peer was still there was acknowledged before the peer's end.
func (c *Conn) await(ctx context.Context, empty bool) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if err := c.wire.flush(); err != nil {
			return err
		}
		unsent, err := c.wire.unsent()
		if err != nil {
			return err
		}
		ended := c.Check()
		if ended != nil && (!c.local || !errors.Is(ended, io.EOF)) {
			return c.lastLook(ended, empty)
		}
		c.proven = c.wire.sent + int64(len(c.wire.pending)-unsent)
		if unsent == 0 || !empty && len(c.wire.pending) == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%d bytes are not acknowledged: %w", unsent, err)
		}
		if err := c.pause(pause, ended != nil); err != nil {
			return err
		}
	}
}

// pause waits for what may change anything: room for what is pending, the peer's end, or
// time. An end that is known already is not waited for again.
func (c *Conn) pause(d time.Duration, ended bool) error {
	var events int16
	if !ended {
		events = unix.POLLIN | unix.POLLRDHUP
	}
	if len(c.wire.pending) > 0 {
		events |= unix.POLLOUT
	}
	_, err := c.wire.poll(events, d)
	return err
}

// lastLook decides about a TCP peer that has just closed its side. One that has read all
// and then closes acknowledges all before, or with, its end of file. One that closes with
// bytes unread resets the connection, at once behind a TLS close_notify.
func (c *Conn) lastLook(ended error, all bool) error {
	if !errors.Is(ended, io.EOF) {
		return ended
	}
	unsent, err := c.wire.unsent()
	if err != nil {
		return err
	}
	if _, err := c.wire.poll(0, lastWord); err != nil {
		return err
	}
	if err := c.wire.end(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if all && unsent == 0 {
		return nil
	}
	return errEnded
}

// Send writes p, and returns when it is in the send buffer: for peers that answer.
// After an error the connection is of no use.
func (c *Conn) Send(ctx context.Context, p []byte) (int, error) {
	defer c.wire.queue()()
	_, err := c.conn.Write(p)
	for err == nil && len(c.wire.pending) > 0 {
		// Not Check, which would discard answers.
		if err = errors.Join(ctx.Err(), c.wire.end()); err != nil {
			break
		}
		if err = c.pause(longestPause, true); err == nil {
			err = c.wire.flush()
		}
	}
	if err != nil {
		return 0, c.visible(fmt.Errorf("write: %w", err))
	}
	return len(p), nil
}
