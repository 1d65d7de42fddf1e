// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/httpserver"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// serving runs a server until stop is called.
func serving(t *testing.T, s *httpserver.Server) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Error("the server does not stop")
		}
	})
	t.Cleanup(stop)
	return stop
}

// at returns the address of pages without a web configuration.
func at(listen string) Address { return Address{Listen: listen} }

// fetch gets a page over a new connection.
func fetch(t *testing.T, address, path string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	resp, err := client.Get("http://" + address + path)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}

func anyPages(refresh func()) Pages {
	fine := func() api.Health { return api.Health{OK: true} }
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "pages_total", Help: "x"}))
	return Pages{Metrics: reg, Refresh: refresh, Health: fine, Ready: fine}
}

// TestMoveToAnAddress checks that a server answers at every moment, also where the two
// addresses overlap, and that no other process can bind the port.
func TestMoveToAnAddress(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, c := range []struct{ from, to string }{
		{":0", "127.0.0.1:PORT"},
		{"127.0.0.1:0", ":PORT"},
		{"127.0.0.1:0", "0.0.0.0:PORT"},
		{"127.0.0.1:0", "127.0.0.1:PORT"},
		{"127.0.0.1:0", "127.0.0.1:0"},
	} {
		t.Run(c.from+" to "+c.to, func(t *testing.T) {
			s, err := Listen(at(c.from), anyPages(func() {}), log)
			if err != nil {
				t.Fatal(err)
			}
			stop := serving(t, s)
			_, port, err := net.SplitHostPort(s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			next, err := Move(s, at(strings.ReplaceAll(c.to, "PORT", port)), anyPages(func() {}), log)
			if err != nil {
				t.Fatal(err)
			}
			serving(t, next)
			_, port, err = net.SplitHostPort(next.Addr())
			if err != nil {
				t.Fatal(err)
			}
			for _, stage := range []func(){func() {}, stop} {
				stage()
				if got := fetch(t, "127.0.0.1:"+port, "/healthz"); got != "ok\n" {
					t.Errorf("got %q", got)
				}
				if other, err := Listen(at("127.0.0.1:"+port), anyPages(func() {}), log); err == nil || !strings.Contains(err.Error(), "http.listen") {
					t.Errorf("another server could bind the address: %v", err)
					other.Close()
				}
			}
		})
	}
}

// TestMoveToAnAddressInUse checks that the server stays on its address and can move later.
func TestMoveToAnAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	log := slog.New(slog.DiscardHandler)
	s, err := Listen(at("127.0.0.1:0"), anyPages(func() {}), log)
	if err != nil {
		t.Fatal(err)
	}
	stop := serving(t, s)
	for _, address := range []string{taken.Addr().String(), "192.0.2.1:1"} {
		if _, err := Move(s, at(address), anyPages(func() {}), log); err == nil || !strings.Contains(err.Error(), "listen tcp "+address) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if got := fetch(t, s.Addr(), "/healthz"); got != "ok\n" {
		t.Errorf("got %q", got)
	}
	next, err := Move(s, at("127.0.0.1:0"), anyPages(func() {}), log)
	if err != nil {
		t.Fatal(err)
	}
	serving(t, next)
	stop()
	if got := fetch(t, next.Addr(), "/healthz"); got != "ok\n" {
		t.Errorf("got %q", got)
	}
}

// TestAScrapeUnderWayIsAnswered checks that a server that stops completes a running scrape.
func TestAScrapeUnderWayIsAnswered(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s, err := Listen(at("127.0.0.1:0"), anyPages(func() { begun <- struct{}{}; <-release }), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stop := serving(t, s)
	answer := make(chan string)
	go func() { answer <- fetch(t, s.Addr(), "/metrics") }()
	<-begun
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	for { // until the server stops accepting
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			break
		}
		c.Close()
		time.Sleep(time.Millisecond)
	}
	close(release)
	if got := <-answer; !strings.Contains(got, "pages_total 0\n") {
		t.Errorf("got %q", got)
	}
	<-stopped
}

func TestAScrapeThatHangsDoesNotHoldUpTheEnd(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s, err := Listen(at("127.0.0.1:0"), anyPages(func() { begun <- struct{}{}; <-release }), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer close(release)
	stop := serving(t, s)
	go func() {
		if resp, err := http.Get("http://" + s.Addr() + "/metrics"); err == nil {
			resp.Body.Close()
		}
	}()
	<-begun
	stop()
}
