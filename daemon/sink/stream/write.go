// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// blockBytes is how much is written in one piece. A Write that is cut short counts
// whole blocks.
const blockBytes = 64 << 10

// A block is a part of what Write was given.
type block struct {
	end  int   // of it in the bytes given
	wire int64 // bytes that had gone over the wire behind it
}

// Write writes p and waits until the peer's kernel has acknowledged it, or the context
// ends. It returns how many bytes, from the first on, were; err is nil if and only if
// that is all. After an error the connection is of no use.
func (c *Conn) Write(ctx context.Context, p []byte) (acknowledged int, err error) {
	defer Bind(ctx, c.wire)()
	c.blocks = c.blocks[:0]
	for start := 0; start < len(p) && err == nil; start += blockBytes {
		end := min(start+blockBytes, len(p))
		if _, err = c.conn.Write(p[start:end]); err != nil {
			break
		}
		c.blocks = append(c.blocks, block{end, c.wire.written})
		if !c.local {
			continue
		}
		// Its queue does not say how much of it was read, only when all was.
		if err = c.await(ctx); err == nil {
			acknowledged = end
		}
	}
	if err == nil {
		err = c.await(ctx)
	}
	switch {
	case err == nil:
		return len(p), nil
	case !c.local && (isTimeout(err) || ctx.Err() != nil):
		acknowledged = c.partly()
	}
	if acknowledged == len(p) {
		return len(p), nil // just before it was asked
	}
	return acknowledged, visible(fmt.Errorf("write: %w", err))
}

// Send writes p, and returns when it is in the send buffer: for peers that answer.
// After an error the connection is of no use.
func (c *Conn) Send(ctx context.Context, p []byte) (int, error) {
	defer Bind(ctx, c.wire)()
	n, err := c.conn.Write(p)
	return n, visible(err)
}

// partly returns how much of what was written is acknowledged, in whole blocks:
// nothing when the peer has reset the connection.
func (c *Conn) partly() (acknowledged int) {
	queue, err := queued(c.wire.raw)
	if err != nil || c.ended() != nil {
		return 0
	}
	reached := c.wire.written - int64(queue)
	for _, b := range c.blocks {
		if b.wire <= reached {
			acknowledged = b.end
		}
	}
	return acknowledged
}

func (c *Conn) await(ctx context.Context) error { return AwaitEmpty(ctx, c.wire.raw, c.ended) }

// ended is Check, but for a peer that has closed in order: it may have closed one
// direction only, and has read what it had acknowledged.
func (c *Conn) ended() error {
	if err := c.Check(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
