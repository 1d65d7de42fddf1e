// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// The collector cannot produce these answers on demand.

// A receiver is a fake of both protocols. It answers by a function of the texts of a request.
type receiver struct {
	url    string
	answer func(texts []string) (*collector.ExportLogsServiceResponse, error)

	mu       sync.Mutex
	requests [][]string // the texts of the records of each
	headers  []http.Header
}

// httpError is an answer of the receiver over HTTP.
type httpError struct {
	status int
	header map[string]string
	body   string
}

func (e *httpError) Error() string { return fmt.Sprint(e.status) }

// newReceiver starts a receiver. Without an answer it accepts everything.
func newReceiver(t *testing.T, protocol string, answer func(texts []string) (*collector.ExportLogsServiceResponse, error)) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	handler := http.Handler(http.HandlerFunc(r.serveHTTP))
	if protocol == protocolGRPC {
		handler = connect.NewUnaryHandler(method, r.call)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *receiver) receive(h http.Header, request *collector.ExportLogsServiceRequest) (*collector.ExportLogsServiceResponse, error) {
	var texts []string
	for _, resource := range request.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, record := range scope.LogRecords {
				texts = append(texts, record.Body.GetStringValue())
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests, r.headers = append(r.requests, texts), append(r.headers, h.Clone())
	if r.answer == nil {
		return new(collector.ExportLogsServiceResponse), nil
	}
	return r.answer(texts)
}

func (r *receiver) call(
	_ context.Context, request *connect.Request[collector.ExportLogsServiceRequest],
) (*connect.Response[collector.ExportLogsServiceResponse], error) {
	response, err := r.receive(request.Header(), request.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(response), nil
}

func (r *receiver) serveHTTP(w http.ResponseWriter, req *http.Request) {
	text, err := io.ReadAll(req.Body)
	var request collector.ExportLogsServiceRequest
	if err != nil || proto.Unmarshal(text, &request) != nil {
		panic(http.ErrAbortHandler)
	}
	response, err := r.receive(req.Header, &request)
	var failure *httpError
	if errors.As(err, &failure) {
		for name, text := range failure.header {
			w.Header().Set(name, text)
		}
		w.WriteHeader(failure.status)
		io.WriteString(w, failure.body)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	body, err := proto.Marshal(response)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", protobuf)
	w.Write(body)
}

func (r *receiver) all() [][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// rpcStatus returns a google.rpc.Status with a RetryInfo, unless the delay is negative.
func rpcStatus(text string, delay time.Duration) string {
	status := appendText(nil, 2, text)
	if delay < 0 {
		return string(status)
	}
	status, detail := begin(status, 3)
	status = appendText(status, 1, "type.googleapis.com/google.rpc.RetryInfo")
	status, info := begin(status, 2)
	return string(end(end(append(status, retryInfo(delay)...), info), detail))
}

func retryInfo(delay time.Duration) []byte {
	d, err := proto.Marshal(durationpb.New(delay))
	if err != nil {
		panic(err)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), d)
}

func rejects(n int64, text string) *collector.ExportLogsServiceResponse {
	return &collector.ExportLogsServiceResponse{PartialSuccess: &collector.ExportLogsPartialSuccess{
		RejectedLogRecords: n, ErrorMessage: text,
	}}
}

func protocols(t *testing.T, test func(t *testing.T, protocol string)) {
	for _, protocol := range []string{protocolHTTP, protocolGRPC} {
		t.Run(protocol, func(t *testing.T) { test(t, protocol) })
	}
}

func deliver(t testing.TB, s *Sink, events []event.Event) {
	t.Helper()
	if n, err := s.Deliver(t.Context(), events); n != len(events) || err != nil {
		t.Fatalf("accepted %d of %d events: %v", n, len(events), err)
	}
}

// isolate delivers as package delivery does after a refusal, and returns the refused texts.
func isolate(t *testing.T, s *Sink, events []event.Event) (refused []string) {
	t.Helper()
	window := len(events)
	for attempts := 0; len(events) > 0; attempts++ {
		if attempts > 1000 {
			t.Fatal("too many attempts")
		}
		size := min(window, len(events))
		n, err := s.Deliver(t.Context(), events[:size])
		events = events[n:]
		switch poisoned := min(sink.Poisoned(err), size-n); {
		case err == nil:
			window *= 2
		case poisoned == 1:
			refused = append(refused, string(events[0].Message))
			events, window = events[1:], window*2
		case poisoned > 1:
			window = poisoned / 2
		default:
			t.Fatal(err)
		}
	}
	return refused
}

// A batch with rejected records is divided until each of them is known. All others arrive.
func TestPartialSuccess(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		stored := make(map[string]int)
		r := newReceiver(t, protocol, func(texts []string) (*collector.ExportLogsServiceResponse, error) {
			var bad int64
			for _, text := range texts {
				if strings.HasPrefix(text, "bad") {
					bad++
					continue
				}
				stored[text]++
			}
			if bad == 0 {
				return new(collector.ExportLogsServiceResponse), nil
			}
			return rejects(bad, "field \x1b x is \"bad\""), nil
		})
		s := newSink(t, Config{URL: value.Inline(r.url), Protocol: protocol})
		var events []event.Event
		for i := range 64 {
			text := fmt.Sprint("good ", i)
			if i == 5 || i == 40 || i == 63 {
				text = fmt.Sprint("bad ", i)
			}
			events = append(events, sinktest.Texts(text)...)
		}
		_, err := s.Deliver(t.Context(), events)
		want := "export to " + r.url + `: the receiver rejected 3 of 64 records: field \x1b x is "bad"`
		if err == nil || err.Error() != want || sink.Poisoned(err) != 64 || sink.RefusalOf(err).Kind != sink.RefusedByBroker {
			t.Errorf("got %v, want %s", err, want)
		}
		if refused := isolate(t, s, events); fmt.Sprint(refused) != "[bad 5 bad 40 bad 63]" {
			t.Errorf("refused %v", refused)
		}
		if len(stored) != 61 {
			t.Errorf("%d texts have arrived", len(stored))
		}
		for text, n := range stored {
			if n > 12 { // the first request, and the halvings for each rejected record
				t.Errorf("%q has arrived %d times", text, n)
			}
		}
	})
}

// A receiver can accept all records with a text for the operator.
func TestWarningOfTheReceiver(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		r := newReceiver(t, protocol, func([]string) (*collector.ExportLogsServiceResponse, error) {
			return rejects(0, "old\nversion"), nil
		})
		log := new(strings.Builder)
		s := newSinkOf(t, Config{URL: value.Inline(r.url), Protocol: protocol}, sink.Env{Log: slog.New(slog.NewTextHandler(log, nil))})
		for i := range 3 {
			deliver(t, s, sinktest.Events(1+i, 1))
		}
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `old\nversion`) {
			t.Errorf("the log has %q", got)
		}
	})
}

// fail returns a receiver that answers with an error.
func fail(t *testing.T, protocol string, err error) (*receiver, *Sink) {
	t.Helper()
	r := newReceiver(t, protocol, func([]string) (*collector.ExportLogsServiceResponse, error) { return nil, err })
	return r, newSink(t, Config{URL: value.Inline(r.url), Protocol: protocol})
}

func TestStatuses(t *testing.T) {
	permanents := map[int]bool{400: true, 413: true, 422: true}
	for _, row := range statuses[1 : len(statuses)-1] {
		for _, status := range []int{row.from, row.to} {
			_, s := fail(t, protocolHTTP, &httpError{
				status: status, header: map[string]string{"Content-Type": protobuf}, body: rpcStatus("why \x1b", -1),
			})
			n, err := s.Deliver(t.Context(), sinktest.Events(1, 3))
			want := map[bool]int{true: 3, false: 0}[permanents[status]]
			if n != 0 || err == nil || sink.Poisoned(err) != want || !strings.Contains(err.Error(), fmt.Sprint(": ", status)) {
				t.Errorf("%d: accepted %d, %v", status, n, err)
				continue
			}
			if status != 304 && !strings.HasSuffix(err.Error(), `: why \x1b`) || !strings.Contains(err.Error(), row.remedy) {
				t.Errorf("%d: %v", status, err)
			}
			if want > 0 && sink.RefusalOf(err) != (sink.Refusal{Kind: sink.RefusedHTTPStatus, Status: status}) {
				t.Errorf("%d: the refusal is %v", status, sink.RefusalOf(err))
			}
		}
	}
}

func TestCodes(t *testing.T) {
	for i, row := range codes[1:] {
		code := connect.Code(i + 1)
		_, s := fail(t, protocolGRPC, connect.NewError(code, errors.New("why \x1b")))
		for _, records := range []int{1, 3} {
			n, err := s.Deliver(t.Context(), sinktest.Events(1, records))
			want := 0
			if row.verdict == permanent || code == connect.CodeResourceExhausted && records > 1 {
				want = records
			}
			if n != 0 || err == nil || sink.Poisoned(err) != want || !strings.HasSuffix(err.Error(), `: why \x1b`) ||
				!strings.Contains(err.Error(), ": "+row.name) || !strings.Contains(err.Error(), row.remedy) {
				t.Errorf("%s: accepted %d, %v", row.name, n, err)
			}
			if want > 0 && sink.RefusalOf(err).Kind != sink.RefusedByBroker && code != connect.CodeResourceExhausted {
				t.Errorf("%s: the refusal is %v", row.name, sink.RefusalOf(err))
			}
		}
	}
}

func TestDelays(t *testing.T) {
	inBody := func(status int, delay time.Duration) *httpError {
		return &httpError{status: status, header: map[string]string{"Content-Type": protobuf}, body: rpcStatus("", delay)}
	}
	now := time.Now().UTC()
	for name, tt := range map[string]struct {
		err  *httpError
		want time.Duration
	}{
		"seconds":  {&httpError{status: 429, header: map[string]string{"Retry-After": "7"}}, 7 * time.Second},
		"no delay": {&httpError{status: 429}, 0},
		"date": {&httpError{status: 503, header: map[string]string{
			"Retry-After": now.Add(9 * time.Second).Format(http.TimeFormat), "Date": now.Format(http.TimeFormat),
		}}, 9 * time.Second},
		"body":          {inBody(503, 3*time.Second), 3 * time.Second},
		"body with 500": {inBody(500, 3*time.Second), 3 * time.Second},
		"a year":        {inBody(503, 8760*time.Hour), time.Hour},
		"before":        {inBody(503, -time.Nanosecond), 0},
		"the larger": {&httpError{
			429, map[string]string{"Retry-After": "9", "Content-Type": protobuf}, rpcStatus("", time.Second),
		}, 9 * time.Second},
		"not protobuf":     {&httpError{503, nil, rpcStatus("", time.Second)}, 0},
		"too large, later": {&httpError{status: 413, header: map[string]string{"Retry-After": "5"}}, 5 * time.Second},
	} {
		_, s := fail(t, protocolHTTP, tt.err)
		if _, err := s.Deliver(t.Context(), sinktest.Events(1, 2)); sink.RetryDelay(err) != tt.want || sink.Poisoned(err) != 0 {
			t.Errorf("%s: %v after %v, want %v", name, err, sink.RetryDelay(err), tt.want)
		}
	}
	for _, code := range []connect.Code{connect.CodeUnavailable, connect.CodeResourceExhausted, connect.CodeUnauthenticated} {
		failure := connect.NewError(code, errors.New("later"))
		failure.AddDetail(detail(t, 1500*time.Millisecond))
		_, s := fail(t, protocolGRPC, failure)
		if _, err := s.Deliver(t.Context(), sinktest.Events(1, 2)); sink.RetryDelay(err) != 1500*time.Millisecond || sink.Poisoned(err) != 0 {
			t.Errorf("%s: %v after %v", code, err, sink.RetryDelay(err))
		}
	}
}

// detail returns a RetryInfo for an error of the fake.
func detail(t *testing.T, delay time.Duration) *connect.ErrorDetail {
	t.Helper()
	d, err := connect.NewErrorDetail(&anypb.Any{TypeUrl: "type.googleapis.com/google.rpc.RetryInfo", Value: retryInfo(delay)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A server that is not a receiver of OTLP accepts nothing, also with a status of success.
func TestSuccessOfAnotherServer(t *testing.T) {
	success := func(contentType, body string) *httpError {
		return &httpError{status: 200, header: map[string]string{"Content-Type": contentType}, body: body}
	}
	for name, tt := range map[string]struct {
		answer   *httpError
		accepted int
		text     string
	}{
		"page":               {success("text/html; charset=utf-8", "<html>"), 0, "check url"},
		"no type":            {success("", "ok"), 0, "check url"},
		"damaged":            {success(protobuf, "\x0a\x05"), 0, "check url"},
		"JSON of another":    {success(inJSON, `[1]`), 0, "check url"},
		"count is a text":    {success(inJSON, `{"partialSuccess":{"rejectedLogRecords":"x"}}`), 0, "check url"},
		"count is not whole": {success(inJSON, `{"partialSuccess":{"rejectedLogRecords":1.5}}`), 0, "check url"},
		"rejects in JSON": {
			success(inJSON+"; charset=utf-8", `{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"no"}}`),
			0, "rejected 2 of 2 records: no",
		},
		"accepts in JSON": {success(inJSON, `{"partialSuccess":{}}`), 2, ""},
		"empty":           {success("text/plain", ""), 2, ""},
		"no content":      {&httpError{status: 204}, 2, ""},
		"accepted":        {&httpError{status: 202}, 2, ""},
		"protobuf":        {success(protobuf, ""), 2, ""},
	} {
		_, s := fail(t, protocolHTTP, tt.answer)
		n, err := s.Deliver(t.Context(), sinktest.Events(1, 2))
		if n != tt.accepted || n == 0 && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: accepted %d, %v", name, n, err)
		}
	}
}

// A gRPC server behind a proxy, or an HTTP server in its place, answers without a gRPC status.
func TestAnswersThatAreNotOfGRPC(t *testing.T) {
	for _, status := range []int{200, 302, 400, 401, 404, 413, 429, 500, 503} {
		url := serveHTTP2(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		s := newSink(t, Config{URL: value.Inline(url), Protocol: protocolGRPC})
		if n, err := s.Deliver(t.Context(), sinktest.Events(1, 2)); n != 0 || err == nil || sink.Poisoned(err) != 0 {
			t.Errorf("%d: accepted %d, %v", status, n, err)
		}
	}
}

// A batch that exceeds max_request is sent in several requests, in order.
func TestDividedBatch(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		calls := 0
		r := newReceiver(t, protocol, func([]string) (*collector.ExportLogsServiceResponse, error) {
			if calls++; calls == 3 {
				return nil, map[string]error{
					protocolHTTP: &httpError{status: 503}, protocolGRPC: connect.NewError(connect.CodeUnavailable, nil),
				}[protocol]
			}
			return new(collector.ExportLogsServiceResponse), nil
		})
		s := newSink(t, Config{URL: value.Inline(r.url), Protocol: protocol, MaxRequest: 128 << 10})
		events := sinktest.Events(1, 1500)
		n, err := s.Deliver(t.Context(), events)
		if requests := r.all(); err == nil || n != len(requests[0])+len(requests[1]) {
			t.Fatalf("accepted %d, %v", n, err)
		}
		deliver(t, s, events[n:])
		var texts []string
		for i, request := range r.all() {
			if i != 2 {
				texts = append(texts, request...)
			}
		}
		for i := range events {
			if texts[i] != string(events[i].Message) {
				t.Fatalf("text %d is %q", i, texts[i])
			}
		}
	})
}

func TestHeaders(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		r := newReceiver(t, protocol, nil)
		s := newSink(t, Config{URL: value.Inline(r.url), Protocol: protocol, Headers: []httpclient.Header{
			{Name: "authorization", Value: value.Inline("Bearer x")}, {Name: "X-Scope-OrgID", Value: value.Inline("7")},
		}})
		deliver(t, s, sinktest.Events(1, 1))
		for name, want := range map[string]string{"Authorization": "Bearer x", "X-Scope-Orgid": "7", "User-Agent": "genltestd/1.2.3"} {
			if got := r.headers[0].Get(name); got != want {
				t.Errorf("%s is %q", name, got)
			}
		}
	})
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte(rpcStatus("text", time.Second)))
	f.Add([]byte(rpcStatus("text", -1)))
	f.Add([]byte("\x1a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s := parseStatus(text); s.delay < 0 || s.delay > time.Hour || s.delay > 0 && !s.retryInfo {
			t.Errorf("%x: %+v", text, s)
		}
	})
}

func FuzzSuccess(f *testing.F) {
	for _, contentType := range []string{protobuf, inJSON, "text/plain"} {
		f.Add(contentType, []byte(`{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"no"}}`))
		f.Add(contentType, []byte("\x0a\x05\x08\x02\x12\x01x"))
		f.Add(contentType, []byte{})
	}
	f.Fuzz(func(t *testing.T, contentType string, text []byte) {
		r, err := readSuccess(contentType, text)
		if err == nil && r.verdict != accepted || err != nil && r != (result{}) {
			t.Errorf("%q, %x: %+v, %v", contentType, text, r, err)
		}
		media := mediaType(contentType)
		known := media == protobuf || media == inJSON && json.Valid(text)
		if err == nil && len(text) > 0 && !known {
			t.Errorf("%q, %x is accepted", contentType, text)
		}
	})
}
