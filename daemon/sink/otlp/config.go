// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	_ "embed" // for the reference
	"fmt"
	"net/textproto"
	"regexp"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
)

var (
	_ sink.Config      = (*Config)(nil)
	_ sink.FieldWriter = (*Config)(nil)
	_ sink.Peer        = (*Config)(nil)
	_ sink.Templater   = (*Config)(nil)
	_ sink.Verifier    = (*Config)(nil)
	_ strict.Foreign   = (*Config)(nil)
	_                  = []strict.Checker{(*Config)(nil), (*Attribute)(nil), (*Scope)(nil)}
)

// Kind is the kind of sink that sends OpenTelemetry logs.
func Kind() sink.Kind {
	return sink.Kind{
		Name: "otlp", Summary: "sends log records to an OpenTelemetry collector or backend",
		Reference: reference, New: func() sink.Config { return new(Config) },
		Words: []strict.VariantWords{
			{Words: "opentelemetry otel otel_collector otelcol otlp_http otlphttp otlp_grpc otlpgrpc grpc"},
		},
	}
}

//go:embed reference.yaml
var reference []byte

// Config is the value of the key otlp.
type Config struct {
	// URL is a secret, because some backends have a token in its path.
	URL      value.Secret `yaml:"url" required:"true" example:"https://collector.example.com:4318/v1/logs"`
	Protocol string       `yaml:"protocol" default:"http" oneof:"http grpc"`
	// Compression is that of requests. Every receiver of OTLP supports gzip.
	Compression string `yaml:"compression" default:"gzip" oneof:"none gzip zstd"`
	// Headers are more headers of each request, or metadata of each call.
	Headers []httpclient.Header `yaml:"headers"`
	TLS     value.TLS           `yaml:"tls"`
	// MaxRequest limits a request before compression. A larger event is a permanent error.
	MaxRequest value.Size `yaml:"max_request" default:"4MiB" min:"128KiB" max:"64MiB"`
	// MaxConnectionAge limits the age of a connection, so that a name that has moved is
	// resolved again; 0 means no limit.
	MaxConnectionAge value.Duration `yaml:"max_connection_age" default:"10m" min:"0" max:"24h"`

	// Severity is that of every record, except that gaps are at least warnings.
	Severity string `yaml:"severity" default:"info" oneof:"trace debug info warn error fatal"`
	// Resource are attributes of the resource, in addition to those of the host or in place of
	// them.
	Resource []Attribute `yaml:"resource"`
	Scope    Scope       `yaml:"scope"`
}

const (
	protocolHTTP = "http"
	protocolGRPC = "grpc"
)

// An Attribute is an attribute of the resource.
type Attribute struct {
	Name string `yaml:"name" required:"true" example:"deployment.environment.name" name:"true"`
	// Value is a template over the fields of events. An event for which it is empty does not
	// have the attribute.
	Value string `yaml:"value" default:""`
}

// A Scope is the instrumentation scope of the records.
type Scope struct {
	Name    string `yaml:"name" default:"github.com/genltestd/genltestd"`
	Version string `yaml:"version" default:""` // empty: that of the daemon
}

// Check implements strict.Checker.
func (c *Config) Check(s strict.Section) {
	httpclient.CheckHeaders(s, c.Headers, writes)
	firsts := make(map[string]strict.Section)
	for i, a := range c.Resource {
		s.At("resource", i).Unique(firsts, "name", a.Name, "give each attribute once")
	}
}

// writes returns the key that writes a header; empty without one.
func writes(name string) string {
	switch {
	case name == textproto.CanonicalMIMEHeaderKey("Content-Type"), name == "Accept-Encoding", strings.HasPrefix(name, "Grpc-"):
		return "protocol"
	}
	return ""
}

var attributeName = regexp.MustCompile(`^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*$`)

const (
	maxName = 255  // of an attribute; the limit of most backends
	maxText = 1000 // of the name of the scope, and of its version
)

// Check implements strict.Checker.
func (a *Attribute) Check(s strict.Section) {
	if a.Name != "" && (!attributeName.MatchString(a.Name) || len(a.Name) > maxName) {
		s.Errorf("name", "%s is not a valid name of an attribute; write at most %d of a-z, 0-9, _, - and dots between, "+
			"like service.namespace", strict.Quote(a.Name), maxName)
	}
}

// Check implements strict.Checker.
func (c *Scope) Check(s strict.Section) {
	for key, text := range map[string]string{"name": c.Name, "version": c.Version} {
		if len(text) > maxText {
			s.Errorf(key, "has %d bytes; write at most %d", len(text), maxText)
		}
	}
}

// HasOwnFields implements sink.FieldWriter.
func (c *Config) HasOwnFields() bool { return true }

// Templates implements sink.Templater.
func (c *Config) Templates() (all []sink.Template) {
	for i, a := range c.Resource {
		all = append(all, sink.Template{Key: fmt.Sprintf("otlp.resource[%d].value", i), Text: a.Value})
	}
	return all
}

// New implements sink.Config.
func (c *Config) New(env sink.Env) (sink.Sink, error) { return New(c, env) }
