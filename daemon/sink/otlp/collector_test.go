// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/faultproxy"
	"github.com/genltestd/genltestd/internal/realserver"
)

// A backend records what a collector exports.
type backend struct {
	t   testing.TB
	url string

	mu      sync.Mutex
	records []record
	status  int // of its answers; 0 for success
}

// A record is a log record with its resource and scope.
type record struct {
	*logs.LogRecord
	resource *logs.ResourceLogs
	scope    *logs.ScopeLogs
}

func newBackend(t testing.TB) *backend {
	t.Helper()
	b := &backend{t: t}
	server := httptest.NewServer(b)
	server.Config.SetKeepAlivesEnabled(false) // a kept connection would count as one of the sink's
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			b.t.Error(err)
			return
		}
		body = z
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return // the collector was killed
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	w.Header().Set("Content-Type", protobuf)
	if b.status != 0 {
		w.WriteHeader(b.status)
		return
	}
	b.store(b.t, text)
}

func (b *backend) store(t testing.TB, text []byte) {
	for _, resource := range decode(t, text).ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, r := range scope.LogRecords {
				b.records = append(b.records, record{r, resource, scope})
			}
		}
	}
}

// answer makes the backend answer with a status, 0 for success.
func (b *backend) answer(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = status
}

func (b *backend) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = nil
}

func (b *backend) all() []record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records[:len(b.records):len(b.records)]
}

func (b *backend) Stored(*testing.T) (all []sinktest.StoredEvent) {
	for _, r := range b.all() {
		attributes := plainAttributes(r.Attributes)
		e := sinktest.StoredEvent{ID: attributes[recordUID].(string), Message: r.Body.GetStringValue()}
		if exact, ok := attributes[namespace+"message"].([]byte); ok {
			e.Message = string(exact)
		}
		all = append(all, e)
	}
	return all
}

// A rig is a collector in front of a backend. It acknowledges a request after the export.
type rig struct {
	*backend
	t          testing.TB
	server     *realserver.Server
	file       string // of the configuration
	http, grpc string // addresses
}

// newRig starts a collector. Settings are merged into its configuration.
func newRig(t testing.TB, b *backend, settings ...object) *rig {
	t.Helper()
	r := &rig{
		backend: b, t: t, file: filepath.Join(t.TempDir(), "collector.yaml"),
		http: sinktest.FreeAddress(t), grpc: sinktest.FreeAddress(t),
	}
	r.configure(settings...)
	r.server = startCollector(t, r.file, r.http, r.grpc)
	return r
}

// configure writes the configuration for the next start. JSON is valid YAML.
func (r *rig) configure(settings ...object) {
	r.t.Helper()
	config := object{
		"receivers": object{"otlp": object{"protocols": object{
			"http": object{"endpoint": r.http}, "grpc": object{"endpoint": r.grpc},
		}}},
		"exporters": object{"otlp_http": object{
			"endpoint": r.url, "sending_queue": object{"enabled": false}, "retry_on_failure": object{"enabled": false},
		}},
		"service": object{
			"telemetry": object{"metrics": object{"level": "none"}, "logs": object{"disable_stacktrace": true}},
			"pipelines": object{"logs": object{"receivers": []string{"otlp"}, "exporters": []string{"otlp_http"}}},
		},
	}
	for _, s := range settings {
		merge(config, s)
	}
	text, err := json.Marshal(config)
	if err != nil {
		r.t.Fatal(err)
	}
	write(r.t, r.file, string(text))
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func merge(into, from object) {
	for name, value := range from {
		inner, isObject := into[name].(object)
		if more, ok := value.(object); ok && isObject {
			merge(inner, more)
		} else {
			into[name] = value
		}
	}
}

// startCollector starts a collector that listens at addresses.
func startCollector(t testing.TB, file string, addresses ...string) *realserver.Server {
	t.Helper()
	return realserver.Start(t, realserver.Spec{Program: "otelcol", Args: []string{"--config", file}, Ready: func() error {
		for _, address := range addresses {
			c, err := net.Dial("tcp", address)
			if err != nil {
				return err
			}
			c.Close()
		}
		return nil
	}})
}

// address returns the address for a protocol.
func (r *rig) address(protocol string) string {
	return map[string]string{protocolHTTP: r.http, protocolGRPC: r.grpc}[protocol]
}

func newSink(t testing.TB, c Config) *Sink {
	t.Helper()
	return newSinkOf(t, c, sink.Env{})
}

func newSinkOf(t testing.TB, c Config, env sink.Env) *Sink {
	t.Helper()
	setDefaults(&c)
	env.Version, env.Compile = "1.2.3", sinktest.Compile
	s, err := New(&c, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func inline(scheme, address string) value.Secret { return value.Inline(scheme + "://" + address) }

// A cut network is faster to break than a collector.
type cut struct {
	*rig
	proxy *faultproxy.Proxy
}

func (c cut) Break(*testing.T)  { c.proxy.Cut() }
func (c cut) Hang(*testing.T)   { c.proxy.Hang() }
func (c cut) Repair(*testing.T) { c.proxy.Restore() }

// All tests of a protocol share one collector, whose start needs a second.
func TestKind(t *testing.T) {
	for _, protocol := range []string{protocolHTTP, protocolGRPC} {
		t.Run(protocol, func(t *testing.T) {
			r := newRig(t, newBackend(t))
			sinktest.Run(t, sinktest.Kind{Hostile: 20_000, New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
				r.forget()
				proxy := faultproxy.New(t, r.address(protocol))
				return newSink(t, Config{URL: inline("http", proxy.Addr()), Protocol: protocol}), cut{r, proxy}
			}})
		})
	}
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
