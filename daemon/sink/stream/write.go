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

// blockBytes is the size of one write. If the context interrupts a Write, only whole
// blocks count.
const blockBytes = 64 << 10

// A block is a part of the data of a Write.
type block struct {
	end  int   // of it in the bytes given
	wire int64 // bytes sent over the wire up to its end
}

// lastWord bounds the wait for a reset that follows the peer's end of file.
const lastWord = 20 * time.Millisecond

// errEnded is for a peer that has closed its sending side.
var errEnded = fmt.Errorf("the peer closed its side of the connection before it had acknowledged everything: %w", io.EOF)

// Write writes p and waits until the peer's kernel has acknowledged it, or the context
// ends. It returns the number of leading bytes that were acknowledged; err is nil if and
// only if these are all. After an error the connection must not be used again.
//
// If a TCP peer closes the connection or its sending side before it has acknowledged all
// of p, no byte of p counts: it is unknown whether the peer reads the data that its kernel
// acknowledges from then on.
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
		// The queue of a unix socket shows only when everything was read.
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

// partly returns how much of the written data was acknowledged while the peer was alive,
// in whole blocks.
func (c *Conn) partly() (acknowledged int) {
	for _, b := range c.blocks {
		if b.wire <= c.proven {
			acknowledged = b.end
		}
	}
	return acknowledged
}

// await waits until the written data is in the send buffer, and if empty is set, until
// that buffer is empty too. It checks the queue before it checks the peer: data that had
// left the queue while the peer was alive was acknowledged before the peer's end.
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

// pause waits for a change: room for pending data, the peer's end, or at most d. It does
// not wait again for an end that is known.
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

// lastLook decides about a TCP peer that has just closed its side. A peer that has read
// everything and then closes acknowledges all data before, or with, its end of file. A
// peer that closes with unread bytes resets the connection, immediately after a TLS
// close_notify.
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

// Send writes p, and returns when it is in the send buffer: for peers that answer. After
// an error the connection must not be used again.
func (c *Conn) Send(ctx context.Context, p []byte) (int, error) {
	defer c.wire.queue()()
	_, err := c.conn.Write(p)
	for err == nil && len(c.wire.pending) > 0 {
		// Check would discard answers.
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
