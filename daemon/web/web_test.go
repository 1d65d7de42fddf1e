// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/control/api"
)

func pages(faults *[]string, scrapes prometheus.Counter) Pages {
	reg := prometheus.NewRegistry()
	reg.MustRegister(scrapes)
	check := func() api.Health {
		return api.Health{OK: len(*faults) == 0, Faults: *faults, Parts: []api.Part{{Name: "journal", Alive: true}}}
	}
	config := func(w io.Writer) error {
		if len(*faults) > 0 {
			return errors.New(strings.Join(*faults, ", "))
		}
		_, err := io.WriteString(w, "log:\n  level: info\n")
		return err
	}
	return Pages{
		Metrics: reg, Refresh: scrapes.Inc, Health: check, Ready: check, Config: config,
		Status: func() *api.Status { return new(api.Status) },
	}
}

func TestAnAddressThatIsTakenHasARemedy(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = Listen(at(taken.Addr().String()), Pages{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "address already in use by another program; stop it") {
		t.Errorf("got %v", err)
	}
}

func TestPages(t *testing.T) {
	var faults []string
	scrapes := prometheus.NewCounter(prometheus.CounterOpts{Name: "scrapes_total", Help: "x"})
	h := Handler(pages(&faults, scrapes), slog.New(slog.DiscardHandler))
	get := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w.Code, w.Body.String()
	}
	tests := []struct {
		method, path string
		faults       []string
		code         int
		part         string
	}{
		{"GET", "/healthz", nil, 200, "ok"},
		{"GET", "/readyz", nil, 200, "ok"},
		{"GET", "/healthz", []string{"receiver: stuck"}, 503, "receiver: stuck\n"},
		{"GET", "/readyz", []string{"a", "b"}, 503, "a\nb\n"},
		{"GET", "/readyz?format=json", nil, 200, `{"ok":true,`},
		{"GET", "/healthz?format=json", []string{"a"}, 503, `"faults":["a"],"parts":[{"name":"journal","alive":true,`},
		{"GET", "/healthz?format=text", []string{"a"}, 503, "a\n"},
		{"HEAD", "/readyz", []string{"a"}, 503, ""},
		{"POST", "/readyz", nil, 405, ""},
		{"GET", "/metrics", nil, 200, "scrapes_total 1\n"},
		{"GET", "/config", nil, 200, "log:\n  level: info\n"},
		{"GET", "/config", []string{"a"}, 500, "a\n"},
		{"PUT", "/config", nil, 405, ""},
		{"GET", "/", nil, 200, `href="metrics"`},
		{"GET", "/status.css", nil, 200, "prefers-color-scheme"},
		{"GET", "/status.js", nil, 200, "status.json"},
		{"GET", "/status.html", nil, 404, ""},
		{"GET", "/else", nil, 404, ""},
	}
	for _, test := range tests {
		faults = test.faults
		code, body := get(test.method, test.path)
		if code != test.code || !strings.Contains(body, test.part) {
			t.Errorf("%s %s with faults %q: %d %q", test.method, test.path, test.faults, code, body)
		}
	}
}

func TestServerServesUntilItsContextEnds(t *testing.T) {
	var faults []string
	log := slog.New(slog.DiscardHandler)
	p := pages(&faults, prometheus.NewCounter(prometheus.CounterOpts{Name: "scrapes_total", Help: "x"}))
	s, err := Listen(at("127.0.0.1:0"), p, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	resp, err := http.Get("http://" + s.Addr() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "ok\n" {
		t.Errorf("body %q, %v", body, err)
	}
	resp.Body.Close()
	if _, err := Listen(at(s.Addr()), p, log); err == nil || !strings.Contains(err.Error(), "http.listen") {
		t.Errorf("a second server could bind the address: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", s.Addr()); err == nil {
		c.Close()
		t.Error("the address is still served")
	}
}
