// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/internal/syncbuffer"
)

// hashed is the bcrypt hash of the password secret.
const hashed = "$2a$05$FgibHKwQ.BE52OOR3.u5sOt7Il1lDdyiAtr71evA6dxCZGpYDpevu"

// webConfig writes a web configuration into dir.
func webConfig(t *testing.T, dir, text string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "web.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate writes a new certificate for 127.0.0.1 with that serial number.
func certificate(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// request gets /healthz over a new connection, with the password if it is not empty.
func request(t *testing.T, url, password string) (status int, tlsState *tls.ConnectionState, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	if password != "" {
		r.SetBasicAuth("prometheus", password)
	}
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode, resp.TLS, resp.Header
}

const (
	tlsPart   = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"
	usersPart = "basic_auth_users: {prometheus: '" + hashed + "'}\n"
)

func TestPagesWithTLSAndUsers(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir, 1)
	a := at("127.0.0.1:0")
	a.Config = webConfig(t, dir, tlsPart+usersPart+"http_server_config: {headers: {Strict-Transport-Security: max-age=60}}\n")
	s, err := Listen(a, anyPages(func() {}), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	serving(t, s)
	url := "https://" + s.Addr()
	for password, want := range map[string]int{"": 401, "wrong": 401, "secret": 200} {
		status, state, header := request(t, url, password)
		if status != want || state.NegotiatedProtocol != "h2" || header.Get("Strict-Transport-Security") != "max-age=60" {
			t.Errorf("password %q: %d, %s, %v", password, status, state.NegotiatedProtocol, header)
		}
	}
	certificate(t, dir, 2)
	if _, state, _ := request(t, url, "secret"); state.PeerCertificates[0].SerialNumber.Int64() != 2 {
		t.Error("a new connection does not use the new certificate")
	}
	webConfig(t, dir, tlsPart)
	if status, _, _ := request(t, url, ""); status != 200 {
		t.Errorf("the removed user is still required: %d", status)
	}
}

// TestMoveToTheSameAddressWithTLS checks that a reload can begin and end to use TLS.
func TestMoveToTheSameAddressWithTLS(t *testing.T) {
	dir, log, pages := t.TempDir(), slog.New(slog.DiscardHandler), anyPages(func() {})
	certificate(t, dir, 1)
	plain, err := Listen(at("127.0.0.1:0"), pages, log)
	if err != nil {
		t.Fatal(err)
	}
	stop := serving(t, plain)
	encrypted, err := Move(plain, Address{Listen: plain.Addr(), Config: webConfig(t, dir, tlsPart)}, pages, log)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	stop = serving(t, encrypted)
	if status, _, _ := request(t, "https://"+plain.Addr(), ""); status != 200 {
		t.Errorf("status %d", status)
	}
	again, err := Move(encrypted, at(plain.Addr()), pages, log)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	serving(t, again)
	if got := fetch(t, plain.Addr(), "/healthz"); got != "ok\n" {
		t.Errorf("got %q", got)
	}
}

// TestFaultsOfTheWebConfiguration checks that each is an error with its place before the address
// is bound, and that no password is shown.
func TestFaultsOfTheWebConfiguration(t *testing.T) {
	for text, want := range map[string]string{
		"tls_server_config: {cert_file: absent.pem, key_file: key.pem}": "absent.pem: no such file or directory",
		"tls_server_config: {cert_file: cert.pem}":                      "missing one of key or key_file",
		"tls_server_config: {key_file: cert.pem, cert_file: cert.pem}":  "failed to load X509KeyPair",
		"basic_auth_users: {prometheus: hunter2hunter2}":                "too short to be a bcrypted password",
		"tls: {}": "line 1: field tls not found",
		"http_server_config: {headers: {X-Powered-By: me}}": `header "X-Powered-By" can not be configured`,
		"tls_server_config: [":                              "did not find expected node content",
	} {
		dir := t.TempDir()
		certificate(t, dir, 1)
		path := webConfig(t, dir, text)
		_, err := Listen(Address{Listen: "127.0.0.1:0", Config: path}, Pages{}, slog.New(slog.DiscardHandler))
		if err == nil || !strings.HasPrefix(err.Error(), "http.web_config: "+path+": ") || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	if err := Validate(filepath.Join(t.TempDir(), "absent")); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
}

// TestADamagedWebConfigurationIsLoggedOnce also checks that no page is shown without its password.
func TestADamagedWebConfigurationIsLoggedOnce(t *testing.T) {
	dir := t.TempDir()
	a := Address{Listen: "127.0.0.1:0", Config: webConfig(t, dir, usersPart)}
	var log syncbuffer.Buffer
	s, err := Listen(a, anyPages(func() {}), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	serving(t, s)
	if status, _, _ := request(t, "http://"+s.Addr(), "secret"); status != 200 {
		t.Errorf("status %d", status)
	}
	webConfig(t, dir, "basic_auth_users: [")
	for range 3 {
		if status, _, _ := request(t, "http://"+s.Addr(), "secret"); status != 500 {
			t.Errorf("status %d", status)
		}
	}
	if n := bytes.Count([]byte(log.String()), []byte("Unable to parse configuration")); n != 1 {
		t.Errorf("%d lines: %s", n, log.String())
	}
}
