// SPDX-License-Identifier: Apache-2.0

package httpclient

import (
	"bytes"
	"compress/gzip"

	"github.com/klauspost/compress/zstd"
)

// The encodings of a Compressor.
const (
	Identity = "none"
	Gzip     = "gzip" // RFC 1952
	Zstd     = "zstd" // RFC 8878
)

// A Compressor compresses the bodies of requests with little CPU time.
type Compressor struct {
	gzip *gzip.Writer
	zstd *zstd.Encoder
}

// NewCompressor returns a Compressor for one of the encodings.
func NewCompressor(encoding string) (c Compressor, err error) {
	switch encoding {
	case Gzip:
		c.gzip, err = gzip.NewWriterLevel(nil, gzip.BestSpeed)
	case Zstd:
		c.zstd, err = zstd.NewWriter(nil,
			zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	}
	return c, err
}

// Active reports whether Compress changes texts.
func (c *Compressor) Active() bool { return c.gzip != nil || c.zstd != nil }

// Compress returns text compressed, in the memory of dst if it has room. Without
// compression it returns text.
func (c *Compressor) Compress(dst, text []byte) ([]byte, error) {
	if !c.Active() {
		return text, nil
	}
	return c.Append(dst[:0], text)
}

// Append appends text compressed to dst. Without compression it appends text.
func (c *Compressor) Append(dst, text []byte) ([]byte, error) {
	switch {
	case c.gzip != nil:
		out := bytes.NewBuffer(dst)
		c.gzip.Reset(out)
		if _, err := c.gzip.Write(text); err != nil {
			return nil, err
		}
		err := c.gzip.Close()
		return out.Bytes(), err
	case c.zstd != nil:
		return c.zstd.EncodeAll(text, dst), nil
	}
	return append(dst, text...), nil
}
