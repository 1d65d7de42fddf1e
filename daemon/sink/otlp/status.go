// SPDX-License-Identifier: Apache-2.0

package otlp

import "strings"

// A verdict is the meaning of an answer for the events of the request.
type verdict string

const (
	accepted  verdict = "accepted"
	retry     verdict = "retry"
	permanent verdict = "dead letter"
)

// A row is the meaning of an answer. specification is that of OTLP: whether a client may try
// again.
type row struct {
	name          string
	specification string
	verdict       verdict
	why           string
	remedy        string // in errors
}

const (
	checkHeaders = "check headers, such as Authorization"
	checkURL     = "check url and protocol"
)

// statuses is the policy for HTTP, and codes that for gRPC. docs/sinks/otlp.md shows them as one
// table, and a test compares the two. The first row that contains a status decides; the last
// contains all.
//
// The policy differs from the specification where the specification drops data for a fault of
// configuration, of authorization or of the receiver: a token that has expired for a night must
// not lose the events of that night. Only an answer about these particular events is permanent.
var statuses = []struct {
	from, to int
	row
}{
	{200, 299, row{"HTTP 200-299", "success", accepted, "the body must be a response of OTLP, or empty. " +
		"With `rejected_log_records` it is a [partial success](#partial-success)", ""}},
	{300, 399, row{
		"HTTP 300-399", "not specified", retry,
		"redirects are not followed: they would send events and tokens to a server that is not configured", checkURL,
	}},
	{400, 400, row{"HTTP 400", "no", permanent, "the receiver cannot process these events. " +
		"If the text is about TLS, as from nginx when the client certificate is wrong, the request is retried", ""}},
	{401, 401, row{"HTTP 401", "no", retry, "the token is wrong or has expired; events wait until it is correct", checkHeaders}},
	{402, 402, row{"HTTP 402", "no", retry, "concerns the account, not the event", ""}},
	{403, 403, row{"HTTP 403", "no", retry, "as 401", checkHeaders}},
	{404, 405, row{"HTTP 404-405", "no", retry, "`url` is wrong, or the receiver lacks a pipeline for logs", checkURL}},
	{406, 412, row{"HTTP 406-412", "no", retry, "a state of the receiver or of a proxy", ""}},
	{413, 413, row{"HTTP 413", "no", permanent, "too large: a batch is halved until it fits; lower `max_request`. " +
		"With `Retry-After` the request is retried", ""}},
	{414, 414, row{"HTTP 414", "no", retry, "`url` is wrong", checkURL}},
	{415, 415, row{
		"HTTP 415", "no", retry, "the receiver does not support protobuf or `compression`, for all events alike",
		"check compression",
	}},
	{416, 421, row{"HTTP 416-421", "no", retry, "421: a new connection may help; the others do not answer this request", ""}},
	{422, 422, row{"HTTP 422", "no", permanent, "the receiver has parsed these events and refuses their content", ""}},
	{423, 428, row{"HTTP 423-428", "no", retry, "a temporary state of the receiver", ""}},
	{429, 429, row{"HTTP 429", "yes", retry, "too many requests; `Retry-After` is respected", ""}},
	{430, 499, row{"HTTP 430-499", "no", retry, "431 concerns `headers`; the others are unknown, and in doubt events are kept", ""}},
	{500, 501, row{"HTTP 500-501", "no", retry, "a fault of the receiver, or of the backend behind a collector", ""}},
	{502, 504, row{"HTTP 502-504", "yes", retry, "the receiver is not available; `Retry-After` is respected", ""}},
	{505, 599, row{"HTTP 505-599", "no", retry, "a fault of the receiver", ""}},
	{0, 999, row{"HTTP others", "not specified", retry, "not a status of HTTP", ""}},
}

// A code is a code of gRPC.
type code uint32

// The codes that more than one place of this package knows.
const (
	codeOK                code = 0
	codeUnknown           code = 2
	codeResourceExhausted code = 8
	codeInternal          code = 13
	codeUnavailable       code = 14
)

// codes has the row of each code at the index of the code.
var codes = []row{
	{"gRPC OK", "success", accepted, "with `rejected_log_records` it is a [partial success](#partial-success)", ""},
	{"gRPC CANCELLED", "yes", retry, "a temporary state of the receiver", ""},
	{"gRPC UNKNOWN", "no", retry, "a fault of the receiver", ""},
	{"gRPC INVALID_ARGUMENT", "no", permanent, "the receiver cannot process these events", ""},
	{"gRPC DEADLINE_EXCEEDED", "yes", retry, "the receiver timed out", ""},
	{"gRPC NOT_FOUND", "no", retry, "configuration of the receiver", checkURL},
	{"gRPC ALREADY_EXISTS", "no", retry, "not an answer to logs; in doubt events are kept", ""},
	{"gRPC PERMISSION_DENIED", "no", retry, "as UNAUTHENTICATED", checkHeaders},
	{
		"gRPC RESOURCE_EXHAUSTED", "with `RetryInfo`", retry, "without `RetryInfo`, a batch is halved. " +
			"A single event is a dead letter if the text is about its size, and is retried otherwise: a quota",
		"lower max_request if it is about the size",
	},
	{"gRPC FAILED_PRECONDITION", "no", retry, "a state of the receiver", ""},
	{"gRPC ABORTED", "yes", retry, "a temporary state of the receiver", ""},
	{"gRPC OUT_OF_RANGE", "yes", retry, "a temporary state of the receiver", ""},
	{
		"gRPC UNIMPLEMENTED", "no", retry,
		"the receiver lacks a pipeline for logs, or does not support `compression`", "check url, protocol and compression",
	},
	{"gRPC INTERNAL", "no", retry, "a fault of the receiver, or of the backend behind a collector", ""},
	{"gRPC UNAVAILABLE", "yes", retry, "the receiver is not available; `RetryInfo` is respected", ""},
	{"gRPC DATA_LOSS", "yes", retry, "the receiver has lost the events; they are sent again", ""},
	{
		"gRPC UNAUTHENTICATED", "no", retry,
		"the token is wrong or has expired; events wait until it is correct", checkHeaders,
	},
}

func rowOfStatus(status int) row {
	for _, r := range statuses {
		if r.from <= status && status <= r.to {
			return r.row
		}
	}
	return statuses[len(statuses)-1].row
}

// rowOfCode returns the row of UNKNOWN for a code that gRPC does not define.
func rowOfCode(c code) row {
	if int(c) < len(codes) {
		return codes[c]
	}
	return codes[codeUnknown]
}

// movesOn reports whether another connection may lead to another server after this code.
func movesOn(c code) bool { return c == codeUnavailable || c == codeInternal || c == codeUnknown }

// exhausted returns the verdict on RESOURCE_EXHAUSTED. Implementations of gRPC use it for a
// message that is too large, and backends for quotas, usually without RetryInfo. A quota that is
// exhausted for a night must not make dead letters of its events.
func exhausted(retryInfo bool, text string, records int) verdict {
	if !retryInfo && (records > 1 || isAboutSize(text)) {
		return permanent
	}
	return retry
}

// isAboutSize recognizes the texts of the implementations of gRPC in Go and C++, in Java, and
// in .NET.
func isAboutSize(text string) bool {
	for _, phrase := range []string{"larger than max", "exceeds maximum size", "exceeds the maximum"} {
		if strings.Contains(text, phrase) {
			return true
		}
	}
	return false
}
