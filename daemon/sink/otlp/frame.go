// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
)

// grpcType is the media type of gRPC. A suffix such as +proto is optional.
const grpcType = "application/grpc"

// prefixSize is the size of the prefix of a message: a byte that is 1 if the message is
// compressed, and the length.
const prefixSize = 5

// An answer is the answer to a call.
type answer struct {
	code    code
	status  status // of a code that is not codeOK
	message []byte // with codeOK; valid until the next call
}

// appendFrame appends a message with its prefix.
func appendFrame(dst []byte, compressor *httpclient.Compressor, message []byte) ([]byte, error) {
	start := len(dst)
	dst, err := compressor.Append(append(dst, make([]byte, prefixSize)...), message)
	if err != nil {
		return nil, err
	}
	if compressor.Active() {
		dst[start] = 1
	}
	binary.BigEndian.PutUint32(dst[start+1:], uint32(len(dst)-start-prefixSize))
	return dst, nil
}

// checkHeader returns an error unless the answer is one of gRPC.
func checkHeader(resp *http.Response, mask *redact.Mask) error {
	if resp.StatusCode != http.StatusOK {
		how := "the answer is not one of gRPC"
		if remedy := rowOfStatus(resp.StatusCode).remedy; remedy != "" {
			how += "; " + remedy
		}
		return errors.New(httpclient.Describe(resp, how, "", mask))
	}
	media := mediaType(resp.Header.Get("Content-Type"))
	if suffix, ok := strings.CutPrefix(media, grpcType); !ok || suffix != "" && suffix != "+proto" {
		return errors.New("the answer is not one of gRPC: it has another Content-Type than " + grpcType + "; check url and protocol")
	}
	return nil
}

// parseAnswer parses an answer. Its status is in the trailer, or in the header of an answer
// without a body. Without a valid status, the receiver may not have read the call.
func parseAnswer(header, trailer http.Header, body []byte, u *unpacker) (*answer, error) {
	if header.Get(statusName) != "" && len(body) == 0 {
		trailer = header
	}
	number, err := strconv.ParseUint(trailer.Get(statusName), 10, 31)
	if err != nil {
		return nil, errors.New("the answer lacks a valid status of gRPC")
	}
	if number != 0 {
		return &answer{code: code(number), status: statusOf(trailer)}, nil
	}
	message, err := parseFrame(header.Get("Grpc-Encoding"), body, u)
	return &answer{message: message}, err
}

// statusName is the name of the trailer with the code.
const statusName = "Grpc-Status"

// statusOf returns the status in a trailer. grpc-message has the same text as the details,
// unless the receiver does not send one of the two.
func statusOf(trailer http.Header) status {
	// Implementations differ in the padding.
	details, _ := base64.RawStdEncoding.DecodeString(strings.TrimRight(trailer.Get("Grpc-Status-Details-Bin"), "="))
	s := parseStatus(details)
	if s.message == "" {
		s.message = percentDecode(trailer.Get("Grpc-Message"))
	}
	return s
}

// percentDecode decodes the %XX of a text. Invalid ones are unchanged, as gRPC requires.
func percentDecode(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if c, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// parseFrame returns the only message of a body.
func parseFrame(encoding string, body []byte, u *unpacker) ([]byte, error) {
	if len(body) < prefixSize {
		return nil, errors.New("the answer lacks a message")
	}
	flags, size, message := body[0], binary.BigEndian.Uint32(body[1:]), body[prefixSize:]
	switch {
	case uint64(size) != uint64(len(message)):
		return nil, fmt.Errorf("the message of the answer has %d bytes, and its prefix announces %d", len(message), size)
	case flags == 0:
		return message, nil
	case flags == 1:
		return u.unpack(encoding, message)
	}
	return nil, fmt.Errorf("the message of the answer has the unknown flags %d", flags)
}
