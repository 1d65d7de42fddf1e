// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
)

// A result is the meaning of an answer.
type result struct {
	verdict     verdict
	rejected    int64  // records of a partial success that the receiver has rejected
	message     string // of the receiver; for an answer that does not accept, with the status
	refusal     sink.Refusal
	delay       time.Duration // before the next attempt, that the receiver requires
	otherServer bool          // the next connection may lead to another server
}

// parseResponse parses an ExportLogsServiceResponse.
func parseResponse(text []byte) (result, error) {
	var response collector.ExportLogsServiceResponse
	if err := proto.Unmarshal(text, &response); err != nil {
		return result{}, err
	}
	partial := response.GetPartialSuccess()
	return result{verdict: taken, rejected: partial.GetRejectedLogRecords(), message: partial.GetErrorMessage()}, nil
}

// parseJSONResponse parses the JSON form, in which some receivers answer. It has numbers as
// texts.
func parseJSONResponse(text []byte) (result, error) {
	var response struct {
		PartialSuccess struct {
			RejectedLogRecords json.Number `json:"rejectedLogRecords"`
			ErrorMessage       string      `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if err := json.Unmarshal(text, &response); err != nil {
		return result{}, errors.New("it is not valid JSON")
	}
	r := result{verdict: taken, message: response.PartialSuccess.ErrorMessage}
	if n := response.PartialSuccess.RejectedLogRecords; n != "" {
		var err error
		if r.rejected, err = n.Int64(); err != nil {
			return result{}, errors.New("rejectedLogRecords is not a number")
		}
	}
	return r, nil
}

// A status is a google.rpc.Status with the detail RetryInfo.
type status struct {
	message   string
	retryInfo bool
	delay     time.Duration // 0 to httpclient.MaxRetryAfter
}

// parseStatus parses a message as far as it is valid.
func parseStatus(text []byte) (s status) {
	const message, details = 2, 3
	eachField(text, func(field protowire.Number, _ uint64, data []byte) {
		switch field {
		case message:
			s.message = string(data)
		case details:
			s.addDetail(parseAny(data))
		}
	})
	return s
}

func parseAny(text []byte) (kind string, value []byte) {
	const typeURL, content = 1, 2
	eachField(text, func(field protowire.Number, _ uint64, data []byte) {
		switch field {
		case typeURL:
			kind = string(data)
		case content:
			value = data
		}
	})
	return kind[strings.LastIndexByte(kind, '/')+1:], value
}

// addDetail reads the delay of a google.rpc.RetryInfo. The names of the others are unknown.
func (s *status) addDetail(kind string, value []byte) {
	const retryDelay = 1
	if kind != "google.rpc.RetryInfo" {
		return
	}
	s.retryInfo = true
	eachField(value, func(field protowire.Number, _ uint64, data []byte) {
		if field == retryDelay {
			s.delay = parseDuration(data)
		}
	})
}

// parseDuration parses a google.protobuf.Duration. A negative one is 0.
func parseDuration(text []byte) time.Duration {
	const secondsField, nanosField = 1, 2
	var seconds, nanos int64
	eachField(text, func(field protowire.Number, number uint64, _ []byte) {
		switch field {
		case secondsField:
			seconds = int64(number)
		case nanosField:
			nanos = int64(int32(number))
		}
	})
	// Out of this range, the sum would overflow.
	seconds = min(max(seconds, -1), int64(httpclient.MaxRetryAfter/time.Second))
	return min(max(time.Duration(seconds)*time.Second+time.Duration(nanos), 0), httpclient.MaxRetryAfter)
}

// eachField calls visit with the fields of a message up to the first invalid one: with the
// number of a varint, or the data of a field with a length.
func eachField(text []byte, visit func(field protowire.Number, number uint64, data []byte)) {
	for len(text) > 0 {
		field, kind, n := protowire.ConsumeTag(text)
		if n < 0 {
			return
		}
		text = text[n:]
		var number uint64
		var data []byte
		switch kind {
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(text)
		case protowire.BytesType:
			data, n = protowire.ConsumeBytes(text)
		default:
			n = protowire.ConsumeFieldValue(field, kind, text)
		}
		if n < 0 {
			return
		}
		visit(field, number, data)
		text = text[n:]
	}
}
