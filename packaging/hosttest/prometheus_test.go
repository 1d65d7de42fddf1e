// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/internal/realserver"
)

const (
	prometheusAddress = "127.0.0.1:9090"
	rulesDir          = "../observability/prometheus/"
)

// A prometheus is a real server that scrapes the daemon each second and evaluates the rules.
type prometheus struct{ *realserver.Server }

// startPrometheus starts a Prometheus with the rules of the product, whose durations are divided by speed.
func startPrometheus(t *testing.T, speed int) prometheus {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"genltestd-recording.yml", "genltestd-alerts.yml"} {
		text, err := os.ReadFile(rulesDir + name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(accelerate(string(text), speed)), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [genltestd-*.yml]
scrape_configs:
  - job_name: genltestd
    static_configs: [{targets: ["127.0.0.1:9941"]}]
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return prometheus{realserver.Start(t, realserver.Spec{
		Program: "prometheus",
		Args: []string{
			"--config.file", config, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", prometheusAddress,
			"--query.lookback-delta", "5s", "--log.level", "warn",
		},
		Ready: func() error {
			response, err := http.Get("http://" + prometheusAddress + "/-/ready")
			if err != nil {
				return err
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusOK {
				return fmt.Errorf("not ready: %s", response.Status)
			}
			return nil
		},
	})}
}

var duration = regexp.MustCompile(`(for: |\[|offset )(\d+)([smhd])`)

// accelerate divides the durations of rules.
func accelerate(rules string, speed int) string {
	unit := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
	return duration.ReplaceAllStringFunc(rules, func(text string) string {
		m := duration.FindStringSubmatch(text)
		n, _ := strconv.Atoi(m[2]) // digits
		return fmt.Sprintf("%s%dms", m[1], (time.Duration(n) * unit[m[3]] / time.Duration(speed)).Milliseconds())
	})
}

func (p prometheus) get(t *testing.T, path string, into any) {
	t.Helper()
	response, err := http.Get("http://" + prometheusAddress + "/api/v1/" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer := struct {
		Error string
		Data  any
	}{Data: into}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Error != "" {
		t.Fatalf("%s: %v %s", path, err, answer.Error)
	}
}

// hasData reports whether an expression has a value that is a number.
func (p prometheus) hasData(t *testing.T, expr string) bool {
	t.Helper()
	var data struct{ Result []struct{ Value [2]any } }
	p.get(t, "query?query="+url.QueryEscape(expr), &data)
	for _, series := range data.Result {
		if series.Value[1] != "NaN" {
			return true
		}
	}
	return false
}

// An alert is an alert of Prometheus.
type alert struct {
	Labels, Annotations map[string]string
	State               string
}

// String returns the name and the object of the alert.
func (a alert) String() string {
	parts := []string{a.Labels["alertname"]}
	for _, label := range []string{"family", "sink", "listener"} {
		if value := a.Labels[label]; value != "" {
			parts = append(parts, value)
		}
	}
	return strings.Join(parts, " ")
}

// firing returns the alerts that fire, by name and object.
func (p prometheus) firing(t *testing.T) map[string]alert {
	t.Helper()
	var data struct{ Alerts []alert }
	p.get(t, "alerts", &data)
	all := make(map[string]alert)
	for _, a := range data.Alerts {
		if a.State == "firing" {
			all[a.String()] = a
		}
	}
	return all
}
