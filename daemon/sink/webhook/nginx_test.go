// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/syncbuffer"
)

// An nginx is the real server, in front of a receiver.
type nginx struct {
	*receiver
	url, log string
	ca       *sinktest.CA
}

const nginxConfig = `
daemon off;
master_process off;
worker_processes 1;
pid %[1]s/pid;
error_log %[1]s/error.log;
events {}
http {
	log_format fields '$server_protocol $ssl_client_verify $connection $status';
	access_log %[1]s/access.log fields;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen %[2]s ssl http2;
		ssl_certificate %[3]s;
		ssl_certificate_key %[4]s;
		ssl_client_certificate %[5]s;
		ssl_verify_client on;
		client_max_body_size 100k;
		location / { proxy_pass %[6]s; }
	}
}
`

func newNginx(t *testing.T) *nginx {
	t.Helper()
	program := sinktest.Program(t, "nginx")
	n := &nginx{receiver: &receiver{t: t}, ca: sinktest.NewCA(t)}
	back := httptest.NewServer(n.receiver)
	t.Cleanup(back.Close)
	dir := t.TempDir()
	n.log = filepath.Join(dir, "access.log")
	cert, key := n.ca.Issue(t, "nginx", time.Hour)
	address := sinktest.FreeAddress(t)
	n.url = "https://" + address
	conf := filepath.Join(dir, "nginx.conf")
	write(t, conf, fmt.Sprintf(nginxConfig, dir, address, cert, key, n.ca.File, back.URL))
	cmd := exec.Command(program, "-p", dir, "-e", dir+"/error.log", "-c", conf)
	var serverLog syncbuffer.Buffer
	cmd.Stderr = &serverLog
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() // it may have exited
		cmd.Wait()         // it was killed
	})
	waitForServer(t, address, &serverLog)
	return n
}

func waitForServer(t *testing.T, address string, serverLog fmt.Stringer) {
	t.Helper()
	poll.UntilNil(t, "the server listens", func() error {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return fmt.Errorf("%w: %s", err, serverLog)
		}
		return c.Close()
	})
}

func TestNginx(t *testing.T) {
	n := newNginx(t)
	cert, key := n.ca.Issue(t, "client", time.Hour)
	s := newSink(t, Config{URL: value.Inline(n.url), TLS: sinktest.TLS(n.ca.File, cert, key), Compression: compressionGzip})
	for i := range 20 {
		deliver(t, s, sinktest.Events(1+100*i, 100))
	}
	if got := len(n.Stored(t)); got != 2000 {
		t.Errorf("%d events have arrived, want 2000", got)
	}
	for _, line := range n.lines(t, 20) {
		if first := n.lines(t, 20)[0]; line != first || !strings.HasPrefix(line, "HTTP/2.0 SUCCESS ") || !strings.HasSuffix(line, " 200") {
			t.Errorf("nginx logs %q, before %q", line, first)
		}
	}
}

// lines waits for this number of lines in the log.
func (n *nginx) lines(t *testing.T, want int) (lines []string) {
	t.Helper()
	poll.Until(t, "a log line for each request", func() bool {
		text, err := os.ReadFile(n.log)
		if err != nil {
			t.Fatal(err)
		}
		lines = strings.Split(strings.TrimSpace(string(text)), "\n")
		return len(lines) >= want
	})
	if len(lines) != want {
		t.Fatalf("nginx received %d requests, want %d", len(lines), want)
	}
	return lines
}

// nginx refuses a large batch before it has received it completely. The sink must read the
// response, so that delivery retries with a smaller batch.
func TestNginxRejectsALargeBatch(t *testing.T) {
	n := newNginx(t)
	cert, key := n.ca.Issue(t, "client", time.Hour)
	s := newSink(t, Config{URL: value.Inline(n.url), TLS: sinktest.TLS(n.ca.File, cert, key)})
	for size := 8192; ; size /= 2 {
		got, err := attempt(t, s, sinktest.Events(1, size), attemptTimeout)
		if err == nil {
			break
		}
		if got != 0 || sink.Poisoned(err) != size || !strings.Contains(err.Error(), "413 Request Entity Too Large") {
			t.Fatalf("accepted %d of %d, %v", got, size, err)
		}
		if size < 100 {
			t.Fatal("even few events are too large")
		}
	}
}

// nginx accepts the connection and answers each request with 400, which must not lose events.
func TestNginxRequiresAnotherCertificate(t *testing.T) {
	n := newNginx(t)
	old, oldKey := n.ca.Issue(t, "old", -time.Hour)
	for want, client := range map[string]value.TLS{
		"400 Bad Request: <html>": sinktest.TLS(n.ca.File, "", ""),
		"400 Bad Request":         sinktest.TLS(n.ca.File, old, oldKey),
	} {
		s := newSink(t, Config{URL: value.Inline(n.url), TLS: client})
		if got, err := attempt(t, s, sinktest.Events(1, 2), attemptTimeout); got != 0 || sink.Poisoned(err) != 0 ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("accepted %d, poisoned %d, %v", got, sink.Poisoned(err), err)
		}
	}
	s := newSink(t, Config{URL: value.Inline("http" + strings.TrimPrefix(n.url, "https"))})
	if got, err := attempt(t, s, sinktest.Events(1, 2), attemptTimeout); got != 0 || sink.Poisoned(err) != 0 ||
		!strings.Contains(err.Error(), "400 Bad Request") {
		t.Errorf("accepted %d, %v", got, err)
	}
	if got := len(n.Stored(t)); got != 0 {
		t.Errorf("%d events have arrived", got)
	}
}
