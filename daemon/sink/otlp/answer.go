// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

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
func parseResponse(text []byte) (r result, err error) {
	const partialSuccess = 1
	r.verdict = accepted
	var invalid error
	err = eachField(text, func(field protowire.Number, _ uint64, data []byte) {
		if field == partialSuccess && invalid == nil {
			invalid = r.addPartialSuccess(data)
		}
	})
	if err == nil {
		err = invalid
	}
	if err != nil {
		return result{}, err
	}
	return r, nil
}

func (r *result) addPartialSuccess(text []byte) error {
	const rejected, message = 1, 2
	valid := true
	err := eachField(text, func(field protowire.Number, number uint64, data []byte) {
		switch {
		case field == rejected && data == nil:
			r.rejected = int64(number)
		case field == message && data != nil:
			r.message = string(data)
			valid = valid && utf8.Valid(data)
		}
	})
	if err == nil && !valid {
		return errors.New("the text of the partial success is not UTF-8")
	}
	return err
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
	r := result{verdict: accepted, message: response.PartialSuccess.ErrorMessage}
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

// parseStatus parses a message as far as it is valid: a status without details is still one.
func parseStatus(text []byte) (s status) {
	const message, details = 2, 3
	_ = eachField(text, func(field protowire.Number, _ uint64, data []byte) {
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
	_ = eachField(text, func(field protowire.Number, _ uint64, data []byte) {
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
	_ = eachField(value, func(field protowire.Number, _ uint64, data []byte) {
		if field == retryDelay {
			s.delay = parseDuration(data)
		}
	})
}

// parseDuration parses a google.protobuf.Duration. A negative one is 0.
func parseDuration(text []byte) time.Duration {
	const secondsField, nanosField = 1, 2
	var seconds, nanos int64
	_ = eachField(text, func(field protowire.Number, number uint64, _ []byte) {
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

// eachField calls visit with the varints and the fields with a length of a message, up to the
// first invalid field. data is nil for a varint.
func eachField(text []byte, visit func(field protowire.Number, number uint64, data []byte)) error {
	for len(text) > 0 {
		field, kind, n := protowire.ConsumeTag(text)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if field > protowire.MaxValidNumber {
			return errors.New("a field has an invalid number")
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
			return protowire.ParseError(n)
		}
		if kind == protowire.VarintType || kind == protowire.BytesType {
			visit(field, number, data)
		}
		text = text[n:]
	}
	return nil
}
