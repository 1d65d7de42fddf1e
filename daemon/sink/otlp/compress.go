// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/genltestd/genltestd/daemon/sink/httpclient"
)

// An unpacker decompresses messages, most of which are a few bytes. Its memory is reused.
type unpacker struct {
	gzip gzip.Reader
	zstd *zstd.Decoder
	text bytes.Buffer
}

// unpack returns a message decompressed. The result is valid until the next call.
func (u *unpacker) unpack(encoding string, message []byte) ([]byte, error) {
	r, err := u.reader(encoding, bytes.NewReader(message))
	if err != nil {
		return nil, err
	}
	u.text.Reset()
	n, err := io.Copy(&u.text, io.LimitReader(r, maxResponse+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("decompress the answer: %w", err)
	case n > maxResponse:
		return nil, fmt.Errorf("decompress the answer: it has more than %d bytes", maxResponse)
	}
	return u.text.Bytes(), nil
}

func (u *unpacker) reader(encoding string, packed io.Reader) (io.Reader, error) {
	switch encoding {
	case httpclient.Gzip:
		return &u.gzip, u.gzip.Reset(packed)
	case httpclient.Zstd:
		if u.zstd == nil {
			// The options are valid, so the constructor does not return an error.
			u.zstd, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		}
		return u.zstd, u.zstd.Reset(packed)
	}
	return nil, fmt.Errorf("the answer has the unknown compression %.20q", encoding)
}
