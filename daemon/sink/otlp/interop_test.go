// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func describeRecord(r record) object {
	all := plainRecord(r.LogRecord)
	all["resource"] = plainAttributes(r.resource.Resource.GetAttributes())
	all["scope"] = fmt.Sprint(r.scope.Scope.GetName(), " ", r.scope.Scope.GetVersion())
	return all
}

// samples returns an event of each type.
func samples() []event.Event {
	events := sinktest.Events(1, 6)
	events[0].Origin = &event.Origin{
		MachineID: "m1", BootID: "b", KernelRelease: "6.1", Labels: []event.Label{{Name: "site", Value: "berlin"}},
	}
	events[0].Captures = []event.Capture{{Name: "disk", Value: []byte("sd\xff")}}
	events[1].Message = []byte("two\nlines \x1b[2J \xff")
	events[2].Family, events[2].Message, events[2].Content = "ethtool", nil, content()
	events[3].Message, events[3].Gap = nil, &event.Gap{Count: 2, Reason: "kernel_buffer", First: 3, Last: 4, LoadID: 5}
	events[4].Message, events[4].Suppressed = nil, &event.Suppressed{Count: 3, Reason: "dedup"}
	events[5].Host = "another"
	return events
}

// Every field of a record passes the collector unchanged, with each protocol and compression.
func TestCollectorReceivesEveryField(t *testing.T) {
	r := newRig(t, newBackend(t))
	protocols(t, func(t *testing.T, protocol string) {
		for _, compression := range []string{"none", "gzip", "zstd"} {
			c := Config{
				URL: inline("http", r.address(protocol)), Protocol: protocol, Compression: compression, Severity: "warn",
				Resource: []Attribute{{Name: "site", Value: "{{.Labels.site}}"}}, Scope: Scope{Name: "s", Version: "v"},
			}
			events := samples()
			text, n, err := newTestBuilder(t, c).build(events)
			if n != len(events) || err != nil {
				t.Fatal(n, err)
			}
			want := new(backend)
			want.store(t, text)
			r.forget()
			for range 3 { // the second and third over the same connection
				deliver(t, newSink(t, c), events)
			}
			got := r.all()
			if len(got) != 3*len(want.records) {
				t.Fatalf("%s: %d records", compression, len(got))
			}
			for i := range got {
				if diff := cmp.Diff(describeRecord(want.records[i%len(want.records)]), describeRecord(got[i])); diff != "" {
					t.Errorf("%s: record %d (-want +got):\n%s", compression, i, diff)
				}
			}
		}
	})
}

// The collector passes on the refusals of the backend behind it. Over gRPC, the status 429 is
// RESOURCE_EXHAUSTED without RetryInfo: the batch is divided, and a single event is retried.
func TestRefusalsOfTheBackend(t *testing.T) {
	r := newRig(t, newBackend(t))
	protocols(t, func(t *testing.T, protocol string) {
		s := newSink(t, Config{URL: inline("http", r.address(protocol)), Protocol: protocol})
		for status, isPermanent := range map[int]bool{400: true, 401: false, 403: false, 404: false, 429: false, 500: false, 503: false} {
			r.answer(status)
			n, err := s.Deliver(t.Context(), sinktest.Events(1, 1))
			if n != 0 || err == nil || sink.Poisoned(err) > 0 != isPermanent {
				t.Errorf("%d: accepted %d, %v", status, n, err)
			}
		}
		r.answer(0)
		deliver(t, s, sinktest.Events(1, 2))
	})
}

// A request above the limit of the collector is divided until it fits.
func TestCollectorRefusesLargeRequests(t *testing.T) {
	r := newRig(t, newBackend(t), object{"receivers": object{"otlp": object{"protocols": object{
		"http": object{"max_request_body_size": 1 << 20}, "grpc": object{"max_recv_msg_size_mib": 1},
	}}}})
	protocols(t, func(t *testing.T, protocol string) {
		for _, compression := range []string{"none", "gzip"} {
			r.forget()
			s := newSink(t, Config{URL: inline("http", r.address(protocol)), Protocol: protocol, Compression: compression})
			events := sinktest.Events(1, 40)
			for i := range events {
				events[i].Message = []byte(fmt.Sprint(i, strings.Repeat(" x", 30_000)))
			}
			events[7].Message = []byte("refused" + strings.Repeat(" x", 700_000))
			n, err := s.Deliver(t.Context(), events)
			if n != 0 || sink.Poisoned(err) != 40 {
				t.Fatalf("%s: accepted %d, %v", compression, n, err)
			}
			refused := isolate(t, s, events)
			if len(refused) != 1 || !strings.HasPrefix(refused[0], "refused") {
				t.Errorf("%s: refused %d, %.20q", compression, len(refused), refused)
			}
			seen := make(map[string]bool)
			for _, e := range r.Stored(t) {
				seen[e.ID] = true
			}
			if len(seen) != 39 {
				t.Errorf("%s: %d events have arrived", compression, len(seen))
			}
		}
	})
}

// A collector at its memory limit refuses data, and the events wait.
func TestCollectorAtItsMemoryLimit(t *testing.T) {
	limiter := object{
		"processors": object{"memory_limiter": object{"check_interval": "50ms", "limit_mib": 2, "spike_limit_mib": 1}},
		"service":    object{"pipelines": object{"logs": object{"processors": []string{"memory_limiter"}}}},
	}
	r := newRig(t, newBackend(t), limiter)
	for _, protocol := range []string{protocolHTTP, protocolGRPC} {
		s := newSink(t, Config{URL: inline("http", r.address(protocol)), Protocol: protocol})
		for refused := 0; refused < 3; {
			n, err := s.Deliver(t.Context(), sinktest.Events(1, 10))
			if sink.Poisoned(err) > 0 || err != nil && n > 0 {
				t.Fatalf("%s: accepted %d, %v", protocol, n, err)
			}
			if err != nil {
				refused++
			}
		}
	}
	r.configure()
	r.server.Restart()
	for _, protocol := range []string{protocolHTTP, protocolGRPC} {
		deliver(t, newSink(t, Config{URL: inline("http", r.address(protocol)), Protocol: protocol}), sinktest.Events(1, 10))
	}
}

// A mistake in protocol or port must not lose events.
func TestWrongPort(t *testing.T) {
	r := newRig(t, newBackend(t))
	for protocol, address := range map[string]string{protocolHTTP: r.grpc, protocolGRPC: r.http} {
		s := newSink(t, Config{URL: inline("http", address), Protocol: protocol})
		n, err := s.Deliver(t.Context(), sinktest.Events(1, 2))
		if n != 0 || err == nil || sink.Poisoned(err) != 0 {
			t.Errorf("%s: accepted %d, %v", protocol, n, err)
		}
	}
}

// The configuration of a collector on the page works.
func TestTheCollectorOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/sinks/otlp.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yml\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("the page has no configuration of a collector")
	}
	b := newBackend(t)
	http, grpc, file := sinktest.FreeAddress(t), sinktest.FreeAddress(t), t.TempDir()+"/collector.yaml"
	text := strings.NewReplacer("0.0.0.0:4318", http, "0.0.0.0:4317", grpc, "https://backend.example.com", b.url).Replace(string(block[1]))
	write(t, file, text+"  telemetry: {metrics: {level: none}}\n")
	startCollector(t, file, http, grpc)
	deliver(t, newSink(t, Config{URL: value.Inline("http://" + http)}), sinktest.Events(1, 2))
	deliver(t, newSink(t, Config{URL: value.Inline("http://" + grpc), Protocol: protocolGRPC}), sinktest.Events(3, 2))
	if got := len(b.Stored(t)); got != 4 { // stored before the answer
		t.Errorf("%d events are stored", got)
	}
	b.answer(503)
	if n, err := newSink(t, Config{URL: value.Inline("http://" + http)}).Deliver(t.Context(), sinktest.Events(1, 2)); n != 0 || err == nil {
		t.Errorf("accepted %d events that the backend has refused", n)
	}
}
