// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink"
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

// picky writes JSON, but not of all events.
type picky struct{ text }

func (e picky) Append(dst []byte, ev *event.Event) ([]byte, error) {
	if e.bad[ev.Seq] {
		return dst, io.ErrNoProgress
	}
	return ev.AppendJSON(dst), nil
}
func (picky) BatchContentType() string { return "application/x-many+json" }

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
		batch   Batch
		want    []string // method, content type and body of each request
	}{
		{"array", event.JSON{}, Array, []string{"application/json [{1},{2},{3}]"}},
		{"array of another type", picky{}, Array, []string{"application/x-many+json [{1},{2},{3}]"}},
		{"lines", event.JSON{}, Lines, []string{"application/x-ndjson {1}\n{2}\n{3}\n"}},
		{"none", event.JSON{}, None, []string{"application/json {1}", "application/json {2}", "application/json {3}"}},
		{"lines of text", text{}, Lines, []string{"text/plain; charset=utf-8 event 1\\nof web-1\nevent 2\\nof web-1\nevent 3\\nof web-1\n"}},
		{"text", text{}, None, []string{"text/x-one event 1\nof web-1\n", "text/x-one event 2\nof web-1\n", "text/x-one event 3\nof web-1\n"}},
		{"attributes", binary{}, Array, []string{"application/json {1}", "application/json {2}", "application/json {3}"}},
	}
	events := sinktest.Events(1, 3)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFaultServer(t)
			deliver(t, newSink(t, Options{URL: secret.Inline(f.URL), Encoder: tt.encoder, Batch: tt.batch}), events)
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

// The events before one that cannot be encoded are accepted; that event never is.
func TestAnEventThatCannotBeWritten(t *testing.T) {
	for _, bad := range []uint64{1, 2, 5} {
		for name, opts := range map[string]Options{
			"array": {Encoder: picky{text{map[uint64]bool{bad: true}}}},
			"lines": {Encoder: text{map[uint64]bool{bad: true}}, Batch: Lines},
			"none":  {Encoder: text{map[uint64]bool{bad: true}}, Batch: None},
		} {
			t.Run(fmt.Sprintf("%s, %d of 5", name, bad), func(t *testing.T) {
				f := newFaultServer(t)
				opts.URL = secret.Inline(f.URL)
				n, err := attempt(t, newSink(t, opts), sinktest.Events(1, 5), patience)
				if n != int(bad)-1 || sink.Poisoned(err) != 1 || sink.RefusalOf(err).Kind != sink.RefusedEncode || !errors.Is(err, io.ErrNoProgress) {
					t.Fatalf("took %d, %v", n, err)
				}
				requests := min(n, 1)
				if opts.Batch == None {
					requests = n
				}
				for _, r := range f.requests(t, requests) {
					if name == "array" && !json.Valid(r.body) {
						t.Errorf("no JSON: %s", r.body)
					}
				}
			})
		}
	}
}

// The transport may continue to read a body after the response has arrived, so the next
// body needs other memory.
func TestABodyThatIsStillReadIsNotOverwritten(t *testing.T) {
	for name, o := range map[string]Options{"array": {}, "lines": {Batch: Lines}, "gzip": {Compression: Gzip}, "zstd": {Compression: Zstd}} {
		o.Encoder = event.JSON{}
		b, err := newBody(&o)
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
		r := b.reader(text)
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

func TestASingleRequestThatFailsEndsTheAttempt(t *testing.T) {
	f := newFaultServer(t, status(200, ""), status(200, ""), status(422, "no"))
	n, err := attempt(t, newSink(t, Options{URL: secret.Inline(f.URL), Batch: None}), sinktest.Events(1, 5), patience)
	if n != 2 || sink.Poisoned(err) != 1 {
		t.Errorf("took %d, %v", n, err)
	}
	f.requests(t, 3)
}

func TestHeaders(t *testing.T) {
	f := newFaultServer(t)
	deliver(t, newSink(t, Options{
		URL: secret.Inline(f.URL + "/a%2Fb?c=d"), Method: http.MethodPut, Version: "1.2", User: "alice", Password: secret.Inline("p"),
		IdempotencyHeader: "X-Event", Headers: []Header{{"x-api-key", secret.Inline("k")}, {"content-type", secret.Inline("application/vnd.x+json")}},
	}), sinktest.Events(1, 2))
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
	s := newSink(t, Options{URL: secret.Inline(f.URL), IdempotencyHeader: "X-Id"})
	for _, events := range [][]event.Event{sinktest.Events(1, 3), sinktest.Events(1, 3), sinktest.Events(1, 3), sinktest.Events(4, 1)} {
		_, _ = attempt(t, s, events, patience) // two are refused
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

func TestASecretThatWasRotatedIsUsedAtOnce(t *testing.T) {
	f := newFaultServer(t, status(200, ""), status(401, ""))
	file := t.TempDir() + "/token"
	write(t, file, "old\n")
	s := newSink(t, Options{URL: secret.Inline(f.URL), Bearer: secret.File(file)})
	deliver(t, s, sinktest.Events(1, 1))
	if n, err := attempt(t, s, sinktest.Events(2, 1), patience); n != 0 || sink.Poisoned(err) != 0 {
		t.Errorf("took %d, %v", n, err)
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

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/token", "a\nb")
	missing := secret.File(dir + "/missing")
	good := secret.Inline("https://example.org")
	tests := map[string]Options{
		"":                           {URL: good},
		"webhook.url":                {URL: secret.Inline("example.org/events")},
		"webhook.bearer":             {URL: good, Bearer: secret.File(dir + "/token")},
		"webhook.basic.password":     {URL: good, Password: missing},
		"webhook.headers[1].value":   {URL: good, Headers: []Header{{"A", secret.Inline("a")}, {"B", missing}}},
		"webhook.signing_secrets[0]": {URL: good, SigningSecrets: []secret.Source{secret.Inline("x"), secret.Inline(oldSecret)}},
		"webhook.proxy":              {URL: good, Proxy: secret.Inline("proxy:3128")},
		"webhook.batch":              {URL: good, Encoder: text{}},
	}
	tlsFile := Options{URL: good}
	tlsFile.TLS.CA = dir + "/missing"
	tests["webhook.tls.ca"] = tlsFile
	user := Options{URL: secret.Inline("https://u:p@example.org"), Bearer: secret.Inline("t")}
	for want, o := range tests {
		if o.Encoder == nil {
			o.Encoder = event.JSON{}
		}
		checkKey(t, o, want)
	}
	checkKey(t, Options{URL: good, Encoder: event.JSON{}, Bearer: secret.Env("NOT_HERE")}, "webhook.bearer")
	checkKey(t, Options{URL: good, Encoder: event.JSON{}, Password: secret.Credential("not-here")}, "webhook.basic.password")
	user.Encoder = event.JSON{}
	checkKey(t, user, "webhook.url")
	twice := Options{URL: secret.Inline("https://u:p@example.org"), Headers: []Header{{"authorization", secret.Inline("t")}}, Encoder: event.JSON{}}
	checkKey(t, twice, "webhook.url")
	unused := Options{URL: secret.Inline("http://example.org"), Encoder: event.JSON{}}
	unused.TLS.ServerName = "example.org"
	checkKey(t, unused, "webhook.url")
	unused.Proxy = secret.Inline("https://proxy.example.org")
	checkKey(t, unused, "")
	if _, err := New(Options{URL: good, Encoder: text{}}); err == nil {
		t.Error("New makes an array of what is not JSON")
	}
}

func checkKey(t *testing.T, o Options, want string) {
	t.Helper()
	var got *sink.OptionError
	err := o.Check()
	switch {
	case want == "" && err != nil:
		t.Errorf("%v", err)
	case want != "" && (!errors.As(err, &got) || got.Key != want):
		t.Errorf("got %v, want an error of %s", err, want)
	}
}
