// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/otlp"
)

// otlpConfig returns the default configuration of the sink with a compression.
func otlpConfig(url, compression string) *otlp.Config {
	return &otlp.Config{
		URL: value.Inline(url), Protocol: "http", Compression: compression, MaxRequest: 4 << 20,
		MaxConnectionAge: value.Duration(10 * time.Minute), Severity: "info", Scope: otlp.Scope{Name: "genltestd"},
	}
}

// postOTLP posts a request of one batch again and again, over one connection. It is not compressed.
func postOTLP(t task) error {
	request, err := otlpRequest(t)
	if err != nil {
		return err
	}
	wall, cpu, err := timeOf(t, func() error {
		for sent := 0; sent < t.events; sent += t.batch {
			if err := post(t.to, request); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("delivered %d ns %d cpu %d p50 0 p99 0 fed 0\n", t.events, wall, cpu)
	return nil
}

func post(url string, request []byte) error {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader(request))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %q", answer.Status, text)
	}
	return err
}

// otlpRequest returns a request with a batch of events, as the sink sends it.
func otlpRequest(t task) (request []byte, err error) {
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		request, _ = io.ReadAll(r.Body) // Deliver reports an error
	}))
	defer receiver.Close()
	s, err := otlp.New(otlpConfig(receiver.URL, "none"), sink.Env{Version: "benchmark"})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	now, decode := time.Now(), decoder("6a9155caa46c7dcc")
	events := make([]event.Event, t.batch)
	for i := range events {
		seq := uint64(i + 1)
		events[i], err = decode(journal.Record{Seq: seq, Time: now, Data: message(t.text, seq, uint64(now.UnixNano()))})
		if err != nil {
			return nil, err
		}
	}
	_, err = s.Deliver(context.Background(), events)
	return request, err
}
