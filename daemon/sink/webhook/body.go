// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/lines"
)

// A body encodes the bodies of requests.
type body struct {
	encoder     event.Encoder
	batch       string
	compression string

	gzip *gzip.Writer
	zstd *zstd.Encoder
	*memory
}

// A memory is reused for the next request, unless the transport may still read the last.
type memory struct {
	lines   *lines.Writer
	buf     []byte
	packed  []byte
	readers atomic.Int32 // handed out and not closed
}

func newBody(w *Config, encoder event.Encoder) (*body, error) {
	b := &body{encoder: encoder, batch: w.Batch, compression: w.Compression, memory: newMemory(encoder)}
	var err error
	switch w.Compression {
	case compressionGzip:
		b.gzip, err = gzip.NewWriterLevel(nil, gzip.BestSpeed)
	case compressionZstd:
		b.zstd, err = zstd.NewWriter(nil,
			zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	}
	return b, err
}

func newMemory(e event.Encoder) *memory { return &memory{lines: lines.NewWriter(e)} }

// reset provides memory for another body.
func (b *body) reset() {
	if b.readers.Load() != 0 {
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
func (b *body) pack(text []byte) ([]byte, error) {
	switch b.compression {
	case compressionGzip:
		out := bytes.NewBuffer(b.packed[:0])
		b.gzip.Reset(out)
		if _, err := b.gzip.Write(text); err != nil {
			return nil, err
		}
		err := b.gzip.Close()
		b.packed = out.Bytes()
		return b.packed, err
	case compressionZstd:
		b.packed = b.zstd.EncodeAll(text, b.packed[:0])
		return b.packed, nil
	}
	return text, nil
}

// reader returns a reader of text that records when it is no longer needed, which may be
// long after the response has arrived.
func (m *memory) reader(text []byte) *reader {
	m.readers.Add(1)
	r := &reader{text: bytes.NewReader(text), done: sync.OnceFunc(func() { m.readers.Add(-1) })}
	r.unread.Store(int64(len(text)))
	return r
}

// A reader reports how much of it was read while another goroutine reads it.
type reader struct {
	text   *bytes.Reader
	unread atomic.Int64
	done   func()
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.text.Read(p)
	r.unread.Add(int64(-n))
	return n, err
}

func (r *reader) Close() error { r.done(); return nil }
