// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// text is an encoder whose output is not JSON. It cannot encode the events in bad.
type text struct{ bad map[uint64]bool }

func (e text) Append(dst []byte, ev *event.Event) ([]byte, error) {
	if e.bad[ev.Seq] {
		return dst, io.ErrNoProgress
	}
	return fmt.Appendf(dst, "event %d\nof %s\n", ev.Seq, ev.Host), nil
}
func (text) ContentType() string      { return "text/x-one" }
func (text) BatchContentType() string { return "" }

// failingJSON writes JSON, but not of all events.
type failingJSON struct{ text }

func (e failingJSON) Append(dst []byte, ev *event.Event) ([]byte, error) {
	if e.bad[ev.Seq] {
		return dst, io.ErrNoProgress
	}
	return ev.AppendJSON(dst), nil
}
func (failingJSON) BatchContentType() string { return "application/x-many+json" }

// binary encodes a part of the event as headers.
type binary struct{ event.JSON }

func (binary) Attributes(e *event.Event, set func(name, value string)) {
	set("ce-id", e.ID())
	set("ce-type", "org.example."+e.Kind())
}

func TestBodies(t *testing.T) {
	tests := []struct {
		name    string
		encoder event.Encoder
		batch   string
		want    []string // method, content type and body of each request
	}{
		{"array", event.JSON{}, batchArray, []string{"application/json [{1},{2},{3}]"}},
		{"array of another type", failingJSON{}, batchArray, []string{"application/x-many+json [{1},{2},{3}]"}},
		{"lines", event.JSON{}, batchLines, []string{"application/x-ndjson {1}\n{2}\n{3}\n"}},
		{"none", event.JSON{}, batchNone, []string{"application/json {1}", "application/json {2}", "application/json {3}"}},
		{"lines of text", text{}, batchLines, []string{
			"text/plain; charset=utf-8 event 1\\nof web-1\nevent 2\\nof web-1\nevent 3\\nof web-1\n",
		}},
		{"text", text{}, batchNone, []string{
			"text/x-one event 1\nof web-1\n", "text/x-one event 2\nof web-1\n",
			"text/x-one event 3\nof web-1\n",
		}},
		{"attributes", binary{}, batchArray, []string{"application/json {1}", "application/json {2}", "application/json {3}"}},
	}
	events := sinktest.Events(1, 3)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFaultServer(t)
			deliver(t, newSinkOf(t, Config{URL: value.Inline(f.URL), Batch: tt.batch}, sink.Env{Encoder: tt.encoder}), events)
			var got []string
			for i, r := range f.requests(t, len(tt.want)) {
				body := string(r.body)
				for _, e := range events {
					body = strings.ReplaceAll(body, string(e.AppendJSON(nil)), fmt.Sprintf("{%d}", e.Seq))
				}
				got = append(got, r.header.Get("Content-Type")+" "+body)
				if tt.name == "attributes" && (r.header.Get("ce-id") != events[i].ID() || r.header.Get("ce-type") != "org.example.event") {
					t.Errorf("request %d has the header %v", i, r.header)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// The events before an event that cannot be encoded are accepted.
func TestUnencodableEvent(t *testing.T) {
	for _, bad := range []uint64{1, 2, 5} {
		for batch, encoder := range map[string]event.Encoder{
			batchArray: failingJSON{text{map[uint64]bool{bad: true}}},
			batchLines: text{map[uint64]bool{bad: true}},
			batchNone:  text{map[uint64]bool{bad: true}},
		} {
			t.Run(fmt.Sprintf("%s, %d of 5", batch, bad), func(t *testing.T) {
				f := newFaultServer(t)
				s := newSinkOf(t, Config{URL: value.Inline(f.URL), Batch: batch}, sink.Env{Encoder: encoder})
				n, err := attempt(t, s, sinktest.Events(1, 5), attemptTimeout)
				if n != int(bad)-1 || sink.Poisoned(err) != 1 || sink.RefusalOf(err).Kind != sink.RefusedEncode ||
					!errors.Is(err, io.ErrNoProgress) {
					t.Fatalf("accepted %d, %v", n, err)
				}
				requests := min(n, 1)
				if batch == batchNone {
					requests = n
				}
				for _, r := range f.requests(t, requests) {
					if batch == batchArray && !json.Valid(r.body) {
						t.Errorf("no JSON: %s", r.body)
					}
				}
			})
		}
	}
}

// The transport may continue to read a body after the response has arrived, so the next
// body needs other memory.
func TestBodyInUseIsNotOverwritten(t *testing.T) {
	for name, c := range map[string]Config{
		"array": {}, "lines": {Batch: batchLines}, "gzip": {Compression: compressionGzip},
		"zstd": {Compression: compressionZstd},
	} {
		b, err := newBody(defaulted(c), event.JSON{})
		if err != nil {
			t.Fatal(err)
		}
		body := func(first int) []byte {
			text, _, err := b.many(sinktest.Events(first, 5))
			if err == nil {
				text, err = b.pack(text)
			}
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		text := body(1)
		want := string(text)
		r := new(httpclient.Exchange).Request(t.Context(), "POST", new(url.URL), nil, text, &b.uses).Body
		body(11)
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("%s: the first body has become %q, %v", name, got, err)
		}
		r.Close()
		r.Close()
		text = body(1)
		if again := body(21); &text[0] != &again[0] {
			t.Errorf("%s: unused memory is not reused", name)
		}
	}
}

func TestFailedRequestEndsTheAttempt(t *testing.T) {
	f := newFaultServer(t, status(200, ""), status(200, ""), status(422, "no"))
	n, err := attempt(t, newSink(t, Config{URL: value.Inline(f.URL), Batch: batchNone}), sinktest.Events(1, 5), attemptTimeout)
	if n != 2 || sink.Poisoned(err) != 1 {
		t.Errorf("accepted %d, %v", n, err)
	}
	f.requests(t, 3)
}

func TestHeaders(t *testing.T) {
	f := newFaultServer(t)
	deliver(t, newSinkOf(t, Config{
		URL: value.Inline(f.URL + "/a%2Fb?c=d"), Method: http.MethodPut, Basic: BasicAuth{User: "alice", Password: value.Inline("p")},
		IdempotencyHeader: "X-Event", Headers: []Header{
			{Name: "x-api-key", Value: value.Inline("k")},
			{Name: "content-type", Value: value.Inline("application/vnd.x+json")},
		},
	}, sink.Env{Version: "1.2"}), sinktest.Events(1, 2))
	want := http.Header{
		"Authorization": {"Basic YWxpY2U6cA=="}, "Content-Type": {"application/vnd.x+json"}, "User-Agent": {"genltestd/1.2"},
		"X-Api-Key": {"k"}, "X-Event": {"6a9155caa46c7dcc-1_6a9155caa46c7dcc-2"},
	}
	got := f.requests(t, 1)[0]
	got.header.Del("Content-Length")
	if diff := cmp.Diff(want, got.header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if got.line != "PUT /a%2Fb?c=d" {
		t.Errorf("%s", got.line)
	}
}

// The id of a batch is the same each time the same events are sent.
func TestIDs(t *testing.T) {
	f := newFaultServer(t, status(500, ""), status(500, ""))
	s := newSink(t, Config{URL: value.Inline(f.URL), IdempotencyHeader: "X-Id"})
	for _, events := range [][]event.Event{sinktest.Events(1, 3), sinktest.Events(1, 3), sinktest.Events(1, 3), sinktest.Events(4, 1)} {
		_, _ = attempt(t, s, events, attemptTimeout) // two are refused
	}
	var got []string
	for _, r := range f.requests(t, 4) {
		got = append(got, r.header.Get("X-Id"))
	}
	batch := "6a9155caa46c7dcc-1_6a9155caa46c7dcc-3"
	if diff := cmp.Diff([]string{batch, batch, batch, "6a9155caa46c7dcc-4"}, got); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

func TestRotatedSecretIsUsedImmediately(t *testing.T) {
	f := newFaultServer(t, status(200, ""), status(401, ""))
	file := t.TempDir() + "/token"
	write(t, file, "old\n")
	s := newSink(t, Config{URL: value.Inline(f.URL), Bearer: value.Secret{File: file}})
	deliver(t, s, sinktest.Events(1, 1))
	if n, err := attempt(t, s, sinktest.Events(2, 1), attemptTimeout); n != 0 || sink.Poisoned(err) != 0 {
		t.Errorf("accepted %d, %v", n, err)
	}
	write(t, file, "new\n")
	deliver(t, s, sinktest.Events(2, 1))
	var got []string
	for _, r := range f.requests(t, 3) {
		got = append(got, r.header.Get("Authorization"))
	}
	if diff := cmp.Diff([]string{"Bearer old", "Bearer old", "Bearer new"}, got); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/token", "a\nb")
	missing := value.Secret{File: dir + "/missing"}
	good, withUser := value.Inline("https://example.org"), value.Inline("https://u:p@example.org")
	json := event.JSON{}
	for _, tt := range []struct {
		want    string
		config  Config
		encoder event.Encoder
	}{
		{"", Config{URL: good}, json},
		{"webhook.url", Config{URL: value.Inline("example.org/events")}, json},
		{"webhook.bearer", Config{URL: good, Bearer: value.Secret{File: dir + "/token"}}, json},
		{"webhook.bearer", Config{URL: good, Bearer: value.Secret{Env: "NOT_HERE"}}, json},
		{"webhook.basic.password", Config{URL: good, Basic: BasicAuth{Password: missing}}, json},
		{"webhook.basic.password", Config{URL: good, Basic: BasicAuth{Password: value.Secret{Credential: "not-here"}}}, json},
		{"webhook.headers[1].value", Config{URL: good, Headers: []Header{
			{Name: "A", Value: value.Inline("a")}, {Name: "B", Value: missing},
		}}, json},
		{"webhook.signing_secrets[0]", Config{URL: good, SigningSecrets: []value.Secret{value.Inline("x"), value.Inline(oldSecret)}}, json},
		{"webhook.proxy", Config{URL: good, Proxy: value.Inline("proxy:3128")}, json},
		{"", Config{URL: good, Proxy: value.Inline(proxyEnvironment)}, json},
		{"webhook.batch", Config{URL: good}, text{}},
		{"webhook.tls.ca", Config{URL: good, TLS: sinktest.TLS(dir+"/missing", "", "")}, json},
		{"webhook.url", Config{URL: withUser, Bearer: value.Inline("t")}, json},
		{"webhook.url", Config{URL: withUser, Headers: []Header{{Name: "authorization", Value: value.Inline("t")}}}, json},
		{"webhook.url", Config{URL: value.Inline("http://example.org"), TLS: value.TLS{ServerName: "example.org"}}, json},
		{"", Config{
			URL: value.Inline("http://example.org"), TLS: value.TLS{ServerName: "example.org"},
			Proxy: value.Inline("https://proxy.example.org"),
		}, json},
	} {
		var got *sink.OptionError
		err := defaulted(tt.config).Verify(tt.encoder)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%v: %v", tt.config, err)
		case tt.want != "" && (!errors.As(err, &got) || got.Key != tt.want):
			t.Errorf("got %v, want an error of %s", err, tt.want)
		}
	}
	if _, err := New(defaulted(Config{URL: good}), sink.Env{Encoder: text{}}); err == nil {
		t.Error("New makes an array of texts that are not JSON")
	}
}
