// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
	"github.com/genltestd/genltestd/daemon/sink/lines"
)

// A body encodes the bodies of requests.
type body struct {
	encoder    event.Encoder
	batch      string
	compressor httpclient.Compressor
	*memory
}

// A memory is reused for the next request, unless the transport may still read the last.
type memory struct {
	lines  *lines.Writer
	buf    []byte
	packed []byte
	uses   httpclient.Uses
}

func newBody(w *Config, encoder event.Encoder) (*body, error) {
	compressor, err := httpclient.NewCompressor(w.Compression)
	return &body{encoder: encoder, batch: w.Batch, compressor: compressor, memory: newMemory(encoder)}, err
}

func newMemory(e event.Encoder) *memory { return &memory{lines: lines.NewWriter(e)} }

// reset provides memory for another body.
func (b *body) reset() {
	if b.uses.InUse() {
		b.memory = newMemory(b.encoder)
	}
}

// one returns the body of a single event.
func (b *body) one(e *event.Event) ([]byte, error) {
	b.reset()
	var err error
	b.buf, err = b.encoder.Append(b.buf[:0], e)
	return b.buf, notEncoded(e, err)
}

func notEncoded(e *event.Event, err error) error {
	if err == nil {
		return nil
	}
	return sink.Permanent(sink.Refusal{Kind: sink.RefusedEncode}.Mark(fmt.Errorf("encode event %s: %w", e.ID(), err)))
}

// many returns a body of the first n of events. If n is less than len(events), err is why
// event n can never be encoded.
func (b *body) many(events []event.Event) (text []byte, n int, err error) {
	b.reset()
	if b.batch == batchLines {
		n, err = b.lines.Write((*capture)(&text), events)
		return text, n, err
	}
	b.buf = append(b.buf[:0], '[')
	for n = range events {
		if b.buf, err = b.encoder.Append(b.buf, &events[n]); err != nil {
			b.buf[len(b.buf)-1] = ']' // in place of the comma
			return b.buf, n, notEncoded(&events[n], err)
		}
		b.buf = append(b.buf, ',')
	}
	b.buf[len(b.buf)-1] = ']'
	return b.buf, len(events), nil
}

// A capture is a writer that keeps the slice of its last write.
type capture []byte

func (c *capture) Write(p []byte) (int, error) { *c = p; return len(p), nil }

func (b *body) contentType(single bool) string {
	switch {
	case single:
		return b.encoder.ContentType()
	case b.batch == batchArray:
		return b.encoder.BatchContentType()
	case b.encoder.BatchContentType() != "":
		return "application/x-ndjson"
	}
	return "text/plain; charset=utf-8"
}

// pack compresses text, if configured.
func (b *body) pack(text []byte) (packed []byte, err error) {
	packed, err = b.compressor.Compress(b.packed, text)
	if b.compressor.Active() {
		b.packed = packed
	}
	return packed, err
}
