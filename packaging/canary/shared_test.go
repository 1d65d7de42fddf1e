// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/genltestd/genltestd/internal/poll"
)

// A sharedServer is a server of several sinks. It repeats the requests of each to the others.
type sharedServer struct {
	mu          sync.Mutex
	texts       map[string][]string // of requests, by request URI
	repetitions map[string]int      // number of answers that repeat others
}

// answer refuses every request. Until there is something to repeat, it requests a retry.
func (g *sharedServer) answer(w io.Writer, r *http.Request) {
	text := strings.Join(g.others(r), "\n")
	code := http.StatusInternalServerError
	if text != "" && r.ContentLength%2 == 0 {
		code = http.StatusUnprocessableEntity // so that dead letters contain it too
	}
	fmt.Fprintf(w, "HTTP/1.1 %d Oops\r\nLocation: /%s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		code, strings.ReplaceAll(text, "\n", " "), len(text), text)
}

// others returns the requests of other sinks, starting with another part each time.
func (g *sharedServer) others(r *http.Request) (list []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.texts[r.RequestURI] = requestTexts(r, 0)
	for from, texts := range g.texts {
		if from != r.RequestURI {
			list = append(list, texts...)
		}
	}
	if len(list) == 0 {
		return nil
	}
	g.repetitions[r.RequestURI]++
	slices.Sort(list)
	first := g.repetitions[r.RequestURI] * 7 % len(list)
	return slices.Concat(list[first:], list[:first])
}

// repeated returns an error unless the requests of others were repeated to every sink several
// times.
func (g *sharedServer) repeated(sinks int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.repetitions) < sinks {
		return fmt.Errorf("%d of %d sinks received requests of others", len(g.repetitions), sinks)
	}
	for from, n := range g.repetitions {
		if n < 3 {
			return fmt.Errorf("the sink of %d bytes of path received requests of others only %d times", len(from), n)
		}
	}
	return nil
}

// sharing adds sinks that receive each other's secrets: webhooks of one server, and sinks of
// other kinds whose servers and programs know the secrets of webhooks.
func (w *setup) sharing() *sharedServer {
	g := &sharedServer{texts: make(map[string][]string), repetitions: make(map[string]int)}
	address := "http://" + w.serve(nil, onRequest(g.answer)).addr
	for i, source := range secretSources { // each source has its own canaries
		w.sink(fmt.Sprintf("shared-webhook-%d", i), "webhook", w.identity(0, address, source))
	}
	var secrets []string
	for _, source := range secretSources {
		secrets = append(secrets, w.addCanary(fieldBearer, "", source).Text(), w.addCanary(fieldHeader, "", source).Text())
	}
	w.sharingPrograms(strings.Join(secrets, " "))
	w.sharingPeers(secrets)
	return g
}

// sharingPrograms adds programs that can read the secrets of webhooks and print them.
func (w *setup) sharingPrograms(secrets string) {
	file := w.write(secrets, "shared-program")
	for name, script := range map[string]string{"last": "echo; cat " + file, "first": "cat " + file + "; exit 75"} {
		argv := []string{"/bin/sh", "-c", "{ " + script + "; } >&2; exit 1"}
		w.sink("shared-program-"+name, "exec", map[string]any{"argv": argv, "timeout": "3s"})
	}
	for verb, line := range map[string]string{"reject": "reject - ", "retry": "retry - ", "unknown": "ok ", "garbage": ""} {
		script := "while read -r x; do echo \"" + line + "$(cat " + file + ")\"; done"
		if verb == "unknown" {
			script = strings.ReplaceAll(script, "$(cat "+file+")", "$(tr -d ' ' <"+file+")")
		}
		w.sink("shared-stream-"+verb, "exec", map[string]any{"argv": []string{"/bin/sh", "-c", script}, "mode": "stream"})
	}
}

// sharingPeers adds sockets whose peers confirm with secrets of webhooks, and TLS servers with
// such names in their certificates.
func (w *setup) sharingPeers(secrets []string) {
	confirm := func(c net.Conn) {
		buf := make([]byte, 64<<10)
		if _, err := c.Read(buf); err == nil {
			send(c, secrets[len(secrets)-1]+secrets[len(secrets)-2]+"\n")
			io.Copy(io.Discard, c) // until the client closes it
		}
	}
	w.sink("shared-confirm", "socket", map[string]any{"address": "tcp://" + w.serve(nil, confirm).addr, "acknowledge": true})
	config, ca := w.namedAfter(w.addCanary(fieldHeader, "", "file"))
	handshake := func(c net.Conn) { c.(*tls.Conn).Handshake() } // fails
	for _, kind := range []string{"socket", "syslog"} {
		w.sink("shared-tls-"+kind, kind, map[string]any{
			"address": "tls://" + w.serve(config, handshake).addr, "tls": map[string]any{"ca": ca, "server_name": "elsewhere.example"},
		})
	}
}

// namedAfter returns a server with a certificate that is named after a canary, and the file of
// its authority, which is the same certificate.
func (w *setup) namedAfter(c Canary) (config *tls.Config, ca string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shared"}, DNSNames: []string{c.Word() + ".example"},
		IsCA: true, BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		w.t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	config = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return config, w.write(string(text), "shared.pem")
}

// wantSharing waits until the log contains masked text from every sink that receives the
// secrets of others. Otherwise the test would check nothing.
func (e *leakSearch) wantSharing(d *running, g *sharedServer) {
	poll.UntilNil(d.w.t, "sinks receive the secrets of others", func() error {
		errs := []error{g.repeated(len(secretSources))}
		for _, s := range d.w.sinks {
			name := s.(map[string]any)["name"].(string)
			if strings.HasPrefix(name, "shared-") && !hasLine(d.stderr.Bytes(), name, "<secret>") {
				errs = append(errs, fmt.Errorf("nothing is masked for %s", name))
			}
		}
		return errors.Join(errs...)
	})
}

func hasLine(log []byte, words ...string) bool {
	for line := range bytes.Lines(log) {
		if !slices.ContainsFunc(words, func(word string) bool { return !bytes.Contains(line, []byte(word)) }) {
			return true
		}
	}
	return false
}
