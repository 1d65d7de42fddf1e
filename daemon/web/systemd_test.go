// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// passed returns a listening socket as systemd passes it, and its address.
func passed(t *testing.T, network, address string) (*os.File, net.Addr) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if unix, ok := l.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, l.Addr()
}

// health gets /healthz from a socket of any network.
func health(t *testing.T, to net.Addr) int {
	t.Helper()
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, to.Network(), to.String())
		},
	}}
	resp, err := client.Get("http://genltestd/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	return resp.StatusCode
}

// TestSocketOfSystemd also moves the pages to another address and back, as reloads do.
func TestSocketOfSystemd(t *testing.T) {
	log, pages := slog.New(slog.DiscardHandler), anyPages(func() {})
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "http")} {
		t.Run(network, func(t *testing.T) {
			f, to := passed(t, network, address)
			own := Address{Systemd: true, Sockets: []*os.File{f}}
			first, err := Listen(own, pages, log)
			if err != nil {
				t.Fatal(err)
			}
			stop := serving(t, first)
			if status := health(t, to); status != http.StatusOK {
				t.Errorf("status %d", status)
			}
			elsewhere, err := Move(first, at("127.0.0.1:0"), pages, log)
			if err != nil {
				t.Fatal(err)
			}
			stop()
			stop = serving(t, elsewhere)
			if page := fetch(t, elsewhere.Addr(), "/healthz"); page == "" {
				t.Error("the other address does not answer")
			}
			again, err := Move(elsewhere, own, pages, log)
			if err != nil {
				t.Fatal(err)
			}
			stop()
			serving(t, again)
			if status := health(t, to); status != http.StatusOK {
				t.Errorf("status %d after a move to another address and back", status)
			}
		})
	}
}

func TestSocketsThatSystemdDoesNotPass(t *testing.T) {
	f, _ := passed(t, "tcp", "127.0.0.1:0")
	for want, sockets := range map[string][]*os.File{
		"has passed no socket": nil, "has passed 2 sockets": {f, f},
	} {
		_, err := Listen(Address{Systemd: true, Sockets: sockets}, anyPages(nil), slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "http.listen: ") {
			t.Errorf("%d sockets: %v", len(sockets), err)
		}
	}
}
