// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/realserver"
)

// An otelCollector is a collector without a queue in front of a backend, which is within the test:
// the collector stores nothing, and acknowledges after the export.
type otelCollector struct {
	*realserver.Server
	protocol, address string

	mu   sync.Mutex
	ids  []string
	full bool
}

type settings = map[string]any

func startCollector(protocol string) func(t *testing.T, a access) broker {
	return func(t *testing.T, a access) broker {
		t.Helper()
		c := &otelCollector{protocol: protocol, address: sinktest.FreeAddress(t)}
		backend := httptest.NewServer(c)
		t.Cleanup(backend.Close)
		listener := settings{"endpoint": c.address}
		if a.tls != nil {
			listener["tls"] = settings{"cert_file": a.tls.cert, "key_file": a.tls.key, "client_ca_file": a.tls.ca}
		}
		config := settings{
			"receivers": settings{"otlp": settings{"protocols": settings{protocol: listener}}},
			"exporters": settings{"otlp_http": settings{
				"endpoint": backend.URL, "sending_queue": settings{"enabled": false}, "retry_on_failure": settings{"enabled": false},
			}},
			"service": settings{
				"telemetry": settings{"metrics": settings{"level": "none"}, "logs": settings{"level": "error", "disable_stacktrace": true}},
				"pipelines": settings{"logs": settings{"receivers": []string{"otlp"}, "exporters": []string{"otlp_http"}}},
			},
		}
		text, err := json.Marshal(config) // which is valid YAML
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "collector.yaml")
		write(t, file, string(text))
		c.Server = realserver.Start(t, realserver.Spec{
			Program: "otelcol", Args: []string{"--config", file}, Ready: collectorListens(c.address),
		})
		if a.user != "" {
			return c.behindNginx(t, a)
		}
		return c
	}
}

func collectorListens(address string) func() error {
	return func() error {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// ServeHTTP is the backend.
func (c *otelCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		return // the collector was killed
	}
	text, err := io.ReadAll(z)
	var request collector.ExportLogsServiceRequest
	if err != nil || proto.Unmarshal(text, &request) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	for _, resource := range request.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, record := range scope.LogRecords {
				for _, a := range record.Attributes {
					if a.Key == "log.record.uid" {
						c.ids = append(c.ids, a.Value.GetStringValue())
					}
				}
			}
		}
	}
}

func (c *otelCollector) addresses() []string { return []string{c.address} }
func (c *otelCollector) kill()               { c.Kill() }
func (c *otelCollector) restart()            { c.Restart() }
func (c *otelCollector) freeze()             { c.Freeze() }
func (c *otelCollector) thaw()               { c.Thaw() }
func (c *otelCollector) limit(*testing.T)    { c.setFull(true) }
func (c *otelCollector) unlimit(*testing.T)  { c.setFull(false) }

func (c *otelCollector) setFull(full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.full = full
}

func (c *otelCollector) stored(*testing.T) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids[:len(c.ids):len(c.ids)]
}

func (c *otelCollector) sink(addresses []string, a clientAccess) string {
	scheme, rest := "http", ""
	if a.user != "" {
		rest = fmt.Sprintf("  headers: [{name: Authorization, value: {file: %s}}]\n", a.passwordFile)
	}
	if a.tls != nil {
		scheme = "https"
		rest += fmt.Sprintf("  tls: {ca: %s, cert: %s, key: %s}\n", a.tls.ca, a.tls.cert, a.tls.key)
	}
	return fmt.Sprintf("otlp:\n  url: %s://%s\n  protocol: %s\n%s", scheme, addresses[0], c.protocol, rest)
}

// A guardedCollector is behind nginx, which requires the password as the header Authorization.
type guardedCollector struct {
	*otelCollector
	nginx string // address
}

func (c *guardedCollector) addresses() []string { return []string{c.nginx} }

const nginxConfig = `
daemon off;
master_process off;
worker_processes 1;
pid %[1]s/pid;
error_log %[1]s/error.log;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen %[2]s;
		if ($http_authorization != "%[3]s") { return 401; }
		location / { %[4]s%[5]s; }
	}
}
`

func (c *otelCollector) behindNginx(t *testing.T, a access) broker {
	t.Helper()
	g := &guardedCollector{otelCollector: c, nginx: sinktest.FreeAddress(t)}
	listen, pass := g.nginx, "proxy_pass http://"
	if c.protocol == "grpc" {
		listen, pass = listen+" http2", "grpc_pass grpc://"
	}
	dir := t.TempDir()
	write(t, dir+"/nginx.conf", fmt.Sprintf(nginxConfig, dir, listen, a.password, pass, c.address))
	args := []string{"-p", dir, "-e", dir + "/error.log", "-c", dir + "/nginx.conf"}
	realserver.Start(t, realserver.Spec{Program: "nginx", Args: args, Ready: collectorListens(g.nginx)})
	return g
}

// The window is a batch.
func otlpKind(protocol string) kind {
	return kind{
		start: startCollector(protocol), window: 256, keys: "attempt_timeout: 1s",
		skip: map[string]string{"refused": "the records have no template that can fail"},
	}
}

func TestOTLPOverHTTP(t *testing.T) { run(t, otlpKind("http")) }

func TestOTLPOverGRPC(t *testing.T) { run(t, otlpKind("grpc")) }
