// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/realserver"
)

// A destination is the server of a webhook. A status of 0 means that it hangs.
type destination struct {
	*httptest.Server
	status atomic.Int64
	slow   atomic.Bool
	cert   atomic.Pointer[tls.Certificate] // nil without TLS
}

func newDestination(t *testing.T) *destination {
	t.Helper()
	d := &destination{}
	d.status.Store(http.StatusOK)
	d.Server = httptest.NewUnstartedServer(d)
	d.Config.SetKeepAlivesEnabled(false)           // the certificate is checked for each request
	d.Config.ErrorLog = log.New(io.Discard, "", 0) // a handshake that fails is a part of the test
	t.Cleanup(d.Close)
	return d
}

func (d *destination) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	if d.status.Load() == 0 {
		<-r.Context().Done()
		return
	}
	if d.slow.Load() {
		time.Sleep(2 * time.Second)
	}
	w.WriteHeader(int(d.status.Load()))
}

// startTLS serves with the current certificate, and not with the one of httptest.
func (d *destination) startTLS() {
	d.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*d.cert.Load()}, MinVersion: tls.VersionTLS12}, nil
	}}
	d.StartTLS()
}

// readable writes a file that the daemon may read, and returns its name.
func readable(t *testing.T, name, content string) string {
	t.Helper()
	dir := filepath.Join("/run", t.Name())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	write(t, filepath.Join(dir, name), content)
	if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

const (
	prometheusProgram = "/usr/bin/prometheus"
	prometheusAddress = "127.0.0.1:9090"
	prometheusConfig  = `global: {scrape_interval: 5s, evaluation_interval: 5s}
rule_files: [/usr/local/share/genltestd/observability/prometheus/*.yml]
scrape_configs: [{job_name: genltestd, static_configs: [{targets: ["127.0.0.1:9941"]}]}]
`
)

// startPrometheus starts a Prometheus with the installed rules, and waits until it has scraped the
// daemon: an alert about an increase needs the value before.
func startPrometheus(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(prometheusProgram); err != nil {
		t.Fatalf("%v; bring the program into the VM: GENLTEST_FILES=/usr/bin/prometheus=%s", err, prometheusProgram)
	}
	realserver.Start(t, realserver.Spec{
		Program: prometheusProgram,
		Args: []string{
			"--config.file", readable(t, "prometheus.yml", prometheusConfig), "--storage.tsdb.path", t.TempDir(),
			"--web.listen-address", prometheusAddress, "--log.level", "warn",
		},
		Ready: func() error {
			resp, err := http.Get("http://" + prometheusAddress + "/-/ready")
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return errors.New(resp.Status)
			}
			return nil
		},
	})
	poll.UntilNil(t, "the daemon is scraped", func() error {
		resp, err := http.Get("http://" + prometheusAddress + "/api/v1/query?query=genltestd_events_lost_total")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var answer struct{ Data struct{ Result []any } }
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Data.Result) == 0 {
			return errors.Join(errors.New("no series"), err)
		}
		return nil
	})
}

// An alert of Prometheus.
type alert struct {
	Labels, Annotations map[string]string
	State               string
}

// matches reports whether the alert fires, and has the name and the labels of object, such as
// "GenltestdSinkSlow sink=a".
func (a alert) matches(object string) bool {
	name, labels, _ := strings.Cut(object, " ")
	for _, label := range strings.Fields(labels) {
		if key, value, _ := strings.Cut(label, "="); a.Labels[key] != value {
			return false
		}
	}
	return a.State == "firing" && a.Labels["alertname"] == name
}

// fires returns the alert that matches object.
func fires(object string) (alert, error) {
	resp, err := http.Get("http://" + prometheusAddress + "/api/v1/alerts")
	if err != nil {
		return alert{}, err
	}
	defer resp.Body.Close()
	var answer struct{ Data struct{ Alerts []alert } }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return alert{}, err
	}
	var others []string
	for _, a := range answer.Data.Alerts {
		if a.matches(object) {
			return a, nil
		}
		others = append(others, fmt.Sprint(a.Labels, " ", a.State))
	}
	return alert{}, fmt.Errorf("%s does not fire, but %s", object, strings.Join(others, "; "))
}

// status returns the output of genltestctl status, and its exit status.
func status(t *testing.T) (code int, text string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "genltestctl", "status").CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), string(out)
	} else if err != nil {
		t.Fatal(err)
	}
	return 0, string(out)
}

// missing returns an error that names the first word that a text lacks.
func missing(where, text string, words []string) error {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return fmt.Errorf("%s lacks %q:\n%s", where, word, text)
		}
	}
	return nil
}

// healthy waits until status and page show a healthy daemon.
func healthy(t *testing.T) {
	t.Helper()
	poll.UntilNil(t, "all is well", func() error {
		code, text := status(t)
		if _, page := get("/"); code != 0 || !strings.Contains(page, "Events are received and delivered") {
			return fmt.Errorf("exit status %d: %s", code, text)
		}
		if _, view := get("/status.json"); !strings.Contains(view, `"healthy":true`) {
			return errors.New(view)
		}
		return nil
	})
}

// authority returns the file of a certification authority that the daemon may read, and certificates
// of it: one is valid, and the other one has expired.
func authority(t *testing.T) (file string, valid, expired *tls.Certificate) {
	t.Helper()
	ca := sinktest.NewCA(t)
	text, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	good, bad := ca.Certificate(t, "valid", time.Hour), ca.Certificate(t, "expired", -time.Hour)
	return readable(t, "ca.pem", string(text)), &good, &bad
}
