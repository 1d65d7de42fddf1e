// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstdOf(t testing.TB, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(text), nil))
}

func frameOf(flags byte, message string) string {
	return string([]byte{flags, 0, 0, byte(len(message) >> 8), byte(len(message))}) + message
}

func TestAnswers(t *testing.T) {
	details := rpcStatus("in the details", 2*time.Second)
	padded, raw := base64.StdEncoding.EncodeToString([]byte(details)), base64.RawStdEncoding.EncodeToString([]byte(details))
	long := strings.Repeat("x", maxResponse+1)
	for name, tt := range map[string]struct {
		status, message, details string // of the trailer
		encoding, body           string
		want                     answer
		err                      string
	}{
		"success":           {status: "0", body: frameOf(0, "abc"), want: answer{message: []byte("abc")}},
		"empty":             {status: "0", body: frameOf(0, ""), want: answer{message: []byte{}}},
		"gzip":              {status: "0", encoding: "gzip", body: frameOf(1, gzipped(t, "abc")), want: answer{message: []byte("abc")}},
		"zstd":              {status: "0", encoding: "zstd", body: frameOf(1, zstdOf(t, "abc")), want: answer{message: []byte("abc")}},
		"not compressed":    {status: "0", encoding: "zstd", body: frameOf(0, "abc"), want: answer{message: []byte("abc")}},
		"another encoding":  {status: "0", encoding: "snappy", body: frameOf(1, "abc"), err: `unknown compression "snappy"`},
		"no encoding":       {status: "0", body: frameOf(1, "abc"), err: "unknown compression"},
		"not gzip":          {status: "0", encoding: "gzip", body: frameOf(1, "abc"), err: "decompress|EOF|header"},
		"bomb":              {status: "0", encoding: "gzip", body: frameOf(1, gzipped(t, long)), err: "more than 65536 bytes"},
		"zstd bomb":         {status: "0", encoding: "zstd", body: frameOf(1, zstdOf(t, long)), err: "more than 65536 bytes"},
		"no message":        {status: "0", err: "lacks a message"},
		"short prefix":      {status: "0", body: "\x00\x00\x00\x00", err: "lacks a message"},
		"cut":               {status: "0", body: frameOf(0, "abc")[:7], err: "has 2 bytes, and its prefix announces 3"},
		"two messages":      {status: "0", body: frameOf(0, "") + frameOf(0, ""), err: "has 5 bytes, and its prefix announces 0"},
		"unknown flags":     {status: "0", body: frameOf(2, ""), err: "unknown flags 2"},
		"no status":         {body: frameOf(0, "abc"), err: "lacks a valid status"},
		"status is a text":  {status: "OK", body: frameOf(0, "abc"), err: "lacks a valid status"},
		"negative status":   {status: "-1", err: "lacks a valid status"},
		"too large status":  {status: "4294967296", err: "lacks a valid status"},
		"refused":           {status: "3", message: "50%25 %", want: answer{code: 3, status: status{message: "50% %"}}},
		"unknown code":      {status: "99", want: answer{code: 99}},
		"refused afterward": {status: "3", body: frameOf(0, "abc"), want: answer{code: 3}},
		"details": {
			status: "14", message: "short", details: padded,
			want: answer{code: 14, status: status{message: "in the details", retryInfo: true, delay: 2 * time.Second}},
		},
		"details without padding": {
			status: "14", details: raw,
			want: answer{code: 14, status: status{message: "in the details", retryInfo: true, delay: 2 * time.Second}},
		},
		"damaged details": {status: "14", message: "short", details: "!", want: answer{code: 14, status: status{message: "short"}}},
	} {
		t.Run(name, func(t *testing.T) {
			header, trailer := make(http.Header), make(http.Header)
			header.Set("Grpc-Encoding", tt.encoding)
			for name, text := range map[string]string{
				"Grpc-Status": tt.status, "Grpc-Message": tt.message, "Grpc-Status-Details-Bin": tt.details,
			} {
				if text != "" {
					trailer.Set(name, text)
				}
			}
			got, err := parseAnswer(header, trailer, []byte(tt.body), new(unpacker))
			switch {
			case tt.err != "" && (err == nil || !containsOne(err.Error(), tt.err)):
				t.Errorf("got %v, want %s", err, tt.err)
			case tt.err == "" && err != nil:
				t.Error(err)
			case tt.err == "":
				if diff := cmp.Diff(&tt.want, got, cmp.AllowUnexported(answer{}, status{})); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
			if tt.body == "" { // a server sends an answer without a body as one header
				trailer.Set("Grpc-Encoding", tt.encoding)
				again, againErr := parseAnswer(trailer, nil, nil, new(unpacker))
				if (err == nil) != (againErr == nil) || !cmp.Equal(got, again, cmp.AllowUnexported(answer{}, status{})) {
					t.Errorf("in the header: %v, %v", again, againErr)
				}
			}
		})
	}
}

func containsOne(text, phrases string) bool {
	for phrase := range strings.SplitSeq(phrases, "|") {
		if strings.Contains(text, phrase) {
			return true
		}
	}
	return false
}

// An unpacker is used again after each outcome.
func TestUnpackerAfterAnError(t *testing.T) {
	u := new(unpacker)
	for range 2 {
		for encoding, packed := range map[string]string{"gzip": gzipped(t, "abc"), "zstd": zstdOf(t, "abc")} {
			if text, err := u.unpack(encoding, []byte(packed[:len(packed)/2])); err == nil {
				t.Errorf("%s: a part is decompressed to %q", encoding, text)
			}
			if text, err := u.unpack(encoding, []byte(packed)); string(text) != "abc" || err != nil {
				t.Errorf("%s: %q, %v", encoding, text, err)
			}
		}
	}
}

func TestFrames(t *testing.T) {
	for _, encoding := range []string{httpclient.Identity, httpclient.Gzip, httpclient.Zstd} {
		compressor, err := httpclient.NewCompressor(encoding)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"", "abc", strings.Repeat("abc", 100_000)} {
			frame, err := appendFrame([]byte("before"), &compressor, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			frame, ok := bytes.CutPrefix(frame, []byte("before"))
			if !ok || (frame[0] == 1) != compressor.Active() {
				t.Fatalf("%s: the frame begins with %x", encoding, frame[:prefixSize])
			}
			if len(text) > maxResponse {
				continue
			}
			if got, err := parseFrame(encoding, frame, new(unpacker)); string(got) != text || err != nil {
				t.Errorf("%s: %q, %v, want %q", encoding, got, err, text)
			}
		}
	}
}

func TestTimeouts(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "1m", 0: "1m", time.Microsecond: "1m", 1500 * time.Microsecond: "1m", 30 * time.Second: "30000m",
		99_999_999 * time.Millisecond: "99999999m", 100_000 * time.Second: "100000S", 1 << 62: "99999999S",
	} {
		if got := formatTimeout(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// serveHTTP2 starts a server of HTTP/2 without TLS, and returns its URL.
func serveHTTP2(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// answerCall answers a call, with a status in the trailer unless it is empty.
func answerCall(w http.ResponseWriter, contentType, body, status string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
	io.WriteString(w, body)
	if status != "" {
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", status)
	}
}

// The headers of a call are those that the specification of gRPC requires.
func TestHeadersOfACall(t *testing.T) {
	for compression, want := range map[string]string{"none": "", "gzip": "gzip", "zstd": "zstd"} {
		var h http.Header
		url := serveHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
			h = r.Header
			answerCall(w, grpcType, frameOf(0, ""), "0")
		})
		s := newSink(t, Config{URL: value.Inline(url), Protocol: protocolGRPC, Compression: compression})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := s.Deliver(ctx, sinktest.Events(1, 1)); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"Content-Type": "application/grpc", "Te": "trailers", "Grpc-Encoding": want, "Grpc-Accept-Encoding": want,
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", compression, name, got, want)
			}
		}
		if got := h.Get("Grpc-Timeout"); len(got) != len("3599999m") || !strings.HasSuffix(got, "m") {
			t.Errorf("the timeout is %q", got)
		}
	}
}

// Only a complete answer of gRPC accepts events.
func TestIncompleteAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		contentType, body, status string
		accepted                  int
		text                      string
	}{
		"success":      {"application/grpc", frameOf(0, ""), "0", 2, ""},
		"suffix":       {"application/grpc+proto", frameOf(0, ""), "0", 2, ""},
		"JSON":         {"application/grpc+json", frameOf(0, ""), "0", 0, "check url and protocol"},
		"gRPC-Web":     {"application/grpc-web", frameOf(0, ""), "0", 0, "check url and protocol"},
		"page":         {"text/html", "<html>", "0", 0, "check url and protocol"},
		"no trailer":   {"application/grpc", frameOf(0, ""), "", 0, "lacks a valid status"},
		"no message":   {"application/grpc", "", "0", 0, "lacks a message"},
		"not OTLP":     {"application/grpc", frameOf(0, "\x0a\x05"), "0", 0, "not one of OTLP"},
		"too long":     {"application/grpc", frameOf(0, strings.Repeat("x", maxResponse)) + "x", "0", 0, "more than 65536 bytes"},
		"late refusal": {"application/grpc", frameOf(0, ""), "13", 0, "gRPC INTERNAL"},
	} {
		url := serveHTTP2(t, func(w http.ResponseWriter, _ *http.Request) { answerCall(w, tt.contentType, tt.body, tt.status) })
		s := newSink(t, Config{URL: value.Inline(url), Protocol: protocolGRPC})
		n, err := s.Deliver(t.Context(), sinktest.Events(1, 2))
		if n != tt.accepted || sink.Poisoned(err) != 0 || n == 0 && (err == nil || !strings.Contains(err.Error(), tt.text)) {
			t.Errorf("%s: accepted %d, %v, want %s", name, n, err, tt.text)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add("0", "", "", "gzip", []byte(frameOf(1, gzipped(f, "abc"))))
	f.Add("0", "", "", "zstd", []byte(frameOf(1, zstdOf(f, "abc"))))
	f.Add("14", "50%25", base64.StdEncoding.EncodeToString([]byte(rpcStatus("text", time.Second))), "", []byte{})
	f.Fuzz(func(t *testing.T, code, text, details, encoding string, body []byte) {
		header := http.Header{"Grpc-Encoding": {encoding}}
		trailer := http.Header{"Grpc-Status": {code}, "Grpc-Message": {text}, "Grpc-Status-Details-Bin": {details}}
		a, err := parseAnswer(header, trailer, body, new(unpacker))
		switch {
		case err != nil:
		case a.code == codeOK && (len(body) < prefixSize || len(a.message) > max(maxResponse, len(body))):
			t.Errorf("%x: a message of %d bytes", body, len(a.message))
		case a.code != codeOK && (a.message != nil || len(a.status.message) > max(len(text), len(details))):
			t.Errorf("code %q: %+v", code, a)
		}
	})
}
