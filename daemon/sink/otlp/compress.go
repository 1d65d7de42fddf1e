// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"compress/gzip"
	"io"

	"connectrpc.com/connect"
	"github.com/klauspost/compress/zstd"
)

// The compressors of calls use little CPU time, as those of httpclient do. Their levels and
// options are valid, so the constructors do not return errors.

func newGzipWriter() connect.Compressor {
	w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return w
}

func newGzipReader() connect.Decompressor { return new(gzip.Reader) }

func newZstdWriter() connect.Compressor {
	w, _ := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	return w
}

func newZstdReader() connect.Decompressor {
	r, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	return zstdReader{r}
}

// A zstdReader can be used again after Close.
type zstdReader struct{ *zstd.Decoder }

func (r zstdReader) Close() error { return r.Reset(nil) }
