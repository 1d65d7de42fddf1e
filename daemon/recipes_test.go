// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	execsink "github.com/genltestd/genltestd/daemon/sink/exec"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/daemon/sink/webhook"
	"github.com/genltestd/genltestd/daemon/sinks"
	"github.com/genltestd/genltestd/internal/poll"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// recipe creates the sink of that name in the documentation, with another URL.
func recipe(t *testing.T, page, name, url string) sink.Sink {
	t.Helper()
	c := recipeConfig(t, page, name)
	c.Config.(*webhook.Config).URL = value.Inline(url)
	return recipeSink(t, c)
}

func recipeSink(t *testing.T, c *config.Sink) sink.Sink {
	t.Helper()
	s, err := newSink(c, &Options{Version: "test", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func recipeConfig(t *testing.T, page, name string) *config.Sink {
	t.Helper()
	for _, c := range documented(t, "../docs/"+page) {
		if c.Sinks[0].Name == name {
			return &c.Sinks[0]
		}
	}
	t.Fatalf("%s does not contain the sink %q", page, name)
	return nil
}

// documented returns the configurations of a page.
func documented(t *testing.T, page string) (list []*config.Config) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
		c, err := config.Parse(filepath.Base(page), []byte(block[1]), sinks.Kinds())
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

// Every configuration in the documentation is valid, except that files, programs and users of
// the reader's machine do not exist here.
func TestDocumentedConfigurationsAreValid(t *testing.T) {
	kinds, err := filepath.Glob("../docs/sinks/*.md")
	if err != nil || len(kinds) == 0 {
		t.Fatal(kinds, err)
	}
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	for _, page := range append(append(pages, kinds...), "../README.md") {
		for _, c := range documented(t, page) {
			var faults config.Errors
			errors.As(Check(c, Dirs{}), &faults)
			for _, f := range faults {
				_, noUser := errors.AsType[user.UnknownUserError](f.Cause)
				_, noGroup := errors.AsType[user.UnknownGroupError](f.Cause)
				if !noUser && !noGroup && !errors.Is(f.Cause, fs.ErrNotExist) && !IsUnverifiable(f.Cause, false) {
					t.Errorf("%s: %v", page, f)
				}
			}
		}
	}
}

// recipeEvents returns events of every kind, with texts that are empty, long, not UTF-8, or that
// a receiver could interpret.
func recipeEvents() (events []event.Event) {
	now := time.Now()
	for i, text := range []string{
		"disk sda failed", "", "\n", `", "x": "`, "<!channel> <b>&amp;", "{{.Host}}", "\x1b[2J\u202e", strings.Repeat("\xff", 4124),
		strings.Repeat("\U0001f600", 1031), strings.Repeat("<", 4124),
	} {
		events = append(events, event.Event{
			JournalID: "6a9155caa46c7dcc", Seq: uint64(i + 1), Time: now,
			Host: "web-1", Family: "genltest", Group: "mcgrp", Message: []byte(text),
		})
	}
	gap, suppressed := events[0], events[0]
	gap.Seq, gap.Message, gap.Gap = 100, nil, &event.Gap{Count: 17, Reason: "kernel_buffer", From: now, To: now}
	suppressed.Seq, suppressed.Message = 101, nil
	suppressed.Suppressed = &event.Suppressed{Count: 3, Reason: "rate_limit", From: now, To: now}
	return append(events, gap, suppressed)
}

// bodies delivers the events and returns the JSON values that the server received.
func bodies[T any](t *testing.T, name string, events []event.Event) []T {
	t.Helper()
	var mu sync.Mutex
	var got []T
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		dec := json.NewDecoder(r.Body)
		dec.DisallowUnknownFields()
		var v T
		if err := dec.Decode(&v); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v: %v", r.Method, r.Header, err)
		}
		got = append(got, v)
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(server.Close)
	n, err := recipe(t, "sinks/webhook.md", name, server.URL).Deliver(t.Context(), events)
	if n != len(events) || err != nil || len(got) != len(events) {
		t.Fatalf("accepted %d, %v; %d requests", n, err, len(got))
	}
	return got
}

func length(s string) int { return len(utf16.Encode([]rune(s))) }

// Slack's limits are in its reference of the block "section".
func TestRecipeSlack(t *testing.T) {
	type message struct {
		Text   string `json:"text"`
		Blocks []struct {
			Type string `json:"type"`
			Text struct {
				Type  string `json:"type"`
				Emoji bool   `json:"emoji"`
				Text  string `json:"text"`
			} `json:"text"`
		} `json:"blocks"`
	}
	for i, m := range bodies[message](t, "slack", recipeEvents()) {
		if len(m.Blocks) != 1 || m.Blocks[0].Type != "section" || m.Blocks[0].Text.Type != "plain_text" || m.Blocks[0].Text.Emoji {
			t.Fatalf("%d is not a plain text in a section: %+v", i, m)
		}
		if n := length(m.Blocks[0].Text.Text); n < 1 || n > 3000 {
			t.Errorf("%d has %d characters", i, n)
		}
		if m.Text != "genltest on web-1" {
			t.Errorf("%d: text %q, which is read as markup", i, m.Text)
		}
		if want := "web-1: disk sda failed"; i == 0 && m.Blocks[0].Text.Text != want {
			t.Errorf("got %q, want %q", m.Blocks[0].Text.Text, want)
		}
	}
}

// The fields and limits are those of "Send an Alert Event" in PagerDuty's reference. The routing
// key is in a header.
func TestRecipePagerDuty(t *testing.T) {
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "pagerduty-key"), []byte("0123456789abcdef0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	type trigger struct {
		EventAction string `json:"event_action"`
		DedupKey    string `json:"dedup_key"`
		Payload     struct {
			Summary       string         `json:"summary"`
			Source        string         `json:"source"`
			Severity      string         `json:"severity"`
			Timestamp     time.Time      `json:"timestamp"`
			Component     string         `json:"component"`
			Group         string         `json:"group"`
			Class         string         `json:"class"`
			CustomDetails map[string]any `json:"custom_details"`
		} `json:"payload"`
	}
	keys := make(map[string]bool)
	events := recipeEvents()
	for i, m := range bodies[trigger](t, "pagerduty", events) {
		p := m.Payload
		keys[m.DedupKey] = true
		switch {
		case m.EventAction != "trigger", m.DedupKey != events[i].ID(), len(m.DedupKey) > 255:
			t.Errorf("%d: %+v", i, m)
		case length(p.Summary) < 1 || length(p.Summary) > 1024, p.Source != "web-1", p.Timestamp.Unix() != events[i].Time.Unix():
			t.Errorf("%d: %+v", i, p)
		case p.Severity != map[string]string{"event": "info", "gap": "error", "suppressed": "error"}[p.Class]:
			t.Errorf("%d: the severity of a %s is %s", i, p.Class, p.Severity)
		}
	}
	if len(keys) != len(events) {
		t.Errorf("%d events have %d keys", len(events), len(keys))
	}
}

// startAlertmanager starts the real one and returns the URL of its API.
func startAlertmanager(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("prometheus-alertmanager is not installed")
	}
	address := sinktest.FreeAddress(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(conf, []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--config.file="+conf, "--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address=")
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() // it may have ended
		cmd.Wait()         // it was killed
		if t.Failed() {
			t.Log(log.String())
		}
	})
	url := "http://" + address
	poll.Until(t, "Alertmanager is ready", func() bool {
		resp, err := http.Get(url + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return url + "/api/v2/alerts"
}

func TestRecipeAlertmanager(t *testing.T) {
	url := startAlertmanager(t)
	s := recipe(t, "sinks/webhook.md", "alertmanager", url)
	events := recipeEvents()
	for range 2 { // the second time nothing changes
		if n, err := s.Deliver(t.Context(), events); n != len(events) || err != nil {
			t.Fatalf("accepted %d, %v", n, err)
		}
	}
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var alerts []struct {
		Labels, Annotations map[string]string
		StartsAt            time.Time
	}
	if err := json.NewDecoder(resp.Body).Decode(&alerts); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, a := range alerts {
		got[fmt.Sprintf("%s %s %s", a.Labels["alertname"], a.Labels["instance"], a.Labels["kind"])] = a.Annotations["event_id"]
	}
	last := events[len(events)-3].ID()
	want := map[string]string{
		"genltest web-1 event": last, "genltest web-1 gap": "6a9155caa46c7dcc-100",
		"genltest web-1 suppressed": "6a9155caa46c7dcc-101-rate_limit",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alerts and their last event (-want +got):\n%s", diff)
	}
}

// The recipe of docs/envelopes.md, with labels for names.
func TestRecipeAlertmanagerWithLabels(t *testing.T) {
	url := startAlertmanager(t)
	s := recipe(t, "envelopes.md", "alerts", url)
	events := recipeEvents()
	for i := range events {
		events[i].Origin = &event.Origin{Labels: []event.Label{{Name: "site", Value: `b "7"`}}}
	}
	if n, err := s.Deliver(t.Context(), events); n != len(events) || err != nil {
		t.Fatalf("accepted %d, %v", n, err)
	}
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var alerts []struct{ Labels map[string]string }
	if err := json.NewDecoder(resp.Body).Decode(&alerts); err != nil {
		t.Fatal(err)
	}
	if len(alerts) != 3 || alerts[0].Labels["site"] != `b "7"` {
		t.Errorf("alerts %v", alerts)
	}
}

// No event adds a header, a recipient or a second message to a mail.
func TestRecipeMail(t *testing.T) {
	c := recipeConfig(t, "sinks/exec.md", "mail")
	dir := t.TempDir()
	program := c.Config.(*execsink.Config)
	script := strings.Replace(program.Argv[2], "/usr/bin/msmtp -t", `cat >"$DIR/$GENLTEST_SEQ"`, 1)
	if script == program.Argv[2] {
		t.Fatalf("the recipe runs another program: %s", script)
	}
	program.Argv[2] = script
	program.Environment = []execsink.Variable{{Name: "DIR", Value: dir}}
	s := recipeSink(t, c)
	events := append(recipeEvents(), event.Event{
		JournalID: "6a9155caa46c7dcc", Seq: 200, Time: time.Now(),
		Host: "web-1\r\nBcc: x@example.org", Message: []byte("a\r\nBcc: x@example.org\r\n\r\n.\r\nb"),
	})
	if accepted := deliverAll(t, s, events); len(accepted) != len(events) {
		t.Fatalf("accepted %d of %d", len(accepted), len(events))
	}
	for _, e := range events {
		checkMail(t, string(readFile(t, filepath.Join(dir, fmt.Sprint(e.Seq)))), &e)
	}
}

func checkMail(t *testing.T, text string, e *event.Event) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	if len(m.Header) != 8 || m.Header.Get("To") != "ops@example.org" || m.Header.Get("Message-ID") != "<"+e.ID()+"@genltestd.example.org>" {
		t.Errorf("header %q", m.Header)
	}
	if date, err := m.Header.Date(); err != nil || date.Unix() != e.Time.Unix() {
		t.Errorf("date %v, %v", date, err)
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	shown, _ := e.AppendShown(nil)
	text = string(event.AppendVisible(nil, e.AppendText(nil)))
	if lines := strings.Split(string(body), "\n"); lines[0] != text || !event.IsVisible(shown) || len(lines) != 4 {
		t.Errorf("body %q", body)
	}
}
