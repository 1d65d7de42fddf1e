// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/genltestd/genltestd/internal/notifysocket"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/syncbuffer"
)

// A running daemon and its outputs.
type running struct {
	w       *setup
	cmd     *exec.Cmd
	stdout  syncbuffer.Buffer
	stderr  syncbuffer.Buffer
	notices syncbuffer.Buffer // notifications to the service manager
	address string            // address of its pages
	ended   chan error
}

var serving = regexp.MustCompile(`msg=listening component=http address=(\S+)`)

// run starts the daemon and waits until it serves its pages.
func (w *setup) run() *running {
	w.t.Helper()
	d := &running{w: w, ended: make(chan error, 1)}
	w.env = append(w.env, "NOTIFY_SOCKET="+d.listenForNotices())
	d.cmd = exec.CommandContext(w.t.Context(), w.path("bin", "genltestd"), "--config", w.configFile())
	d.cmd.Env, d.cmd.Stdout, d.cmd.Stderr = w.env, &d.stdout, &d.stderr
	d.cmd.Cancel = func() error { return d.cmd.Process.Signal(syscall.SIGTERM) }
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that panics leaves no daemon
	if err := d.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() { d.ended <- d.cmd.Wait() }()
	poll.UntilNil(w.t, "the daemon serves", func() error {
		select {
		case err := <-d.ended:
			w.t.Fatalf("the daemon ends: %v; the end of its log: %s", err, tail(d.stderr.Bytes()))
		default:
		}
		m := serving.FindSubmatch(d.stderr.Bytes())
		if m == nil {
			return fmt.Errorf("its log ends with %s", tail(d.stderr.Bytes()))
		}
		d.address = "http://" + string(m[1])
		return nil
	})
	return d
}

func (d *running) listenForNotices() (path string) {
	s := notifysocket.ListenAt(d.w.t, d.w.path("notify"))
	go s.CopyTo(func(message string) { d.notices.Write([]byte(message + "\n")) }) // never fails
	return s.Path
}

// page returns status, header and body of a page. On a loaded machine, a scrape of hundreds of sinks can
// exceed its time limit; it is repeated.
func (d *running) page(method, path string) (text []byte) {
	d.w.t.Helper()
	poll.UntilNil(d.w.t, method+" "+path, func() error {
		text = d.request(method, path)
		if line, _, _ := bytes.Cut(text, []byte("\n")); path == "/metrics" && bytes.HasPrefix(line, []byte("503 ")) {
			return errors.New(string(text))
		}
		return nil
	})
	return text
}

func (d *running) request(method, path string) []byte {
	d.w.t.Helper()
	ctx, cancel := context.WithTimeout(d.w.t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, d.address+path, nil)
	if err != nil {
		d.w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	fmt.Fprintln(&text, resp.Status, resp.Header)
	if _, err := io.Copy(&text, resp.Body); err != nil {
		d.w.t.Fatal(err)
	}
	return text.Bytes()
}

var outcome = regexp.MustCompile(`(?m)^genltestd_sink_(?:failures|events_dead_lettered)_total\{sink="([^"]+)"\} (\S+)$`)

// waitForFailures waits until every sink has failed, except the given ones.
func (d *running) waitForFailures(but ...string) {
	d.w.t.Helper()
	poll.UntilNil(d.w.t, "every sink fails", func() error {
		failed := make(map[string]bool)
		for _, name := range but {
			failed[name] = true
		}
		for _, m := range outcome.FindAllSubmatch(d.page("GET", "/metrics"), -1) {
			if n, err := strconv.ParseFloat(string(m[2]), 64); err == nil && n > 0 {
				failed[string(m[1])] = true
			}
		}
		var missing []string
		for _, s := range d.w.sinks {
			if name := s.(map[string]any)["name"].(string); !failed[name] {
				missing = append(missing, name)
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("not %s", strings.Join(missing, ", "))
		}
		return nil
	})
}

// waitForProgress waits until every server has received a request.
func (d *running) waitForProgress() {
	d.w.t.Helper()
	poll.UntilNil(d.w.t, "every server has received a request", func() error {
		for i, s := range d.w.servers {
			if s.requested.Load() == 0 {
				return fmt.Errorf("server %d of %d has not received a request", i, len(d.w.servers))
			}
		}
		return nil
	})
}

// program runs one of our programs in the daemon's environment, and returns its output. It
// kills a program that does not end.
func (w *setup) program(name string, args ...string) []byte {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.path("bin", name), args...)
	cmd.Env = w.env
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return out
}

func (d *running) ctl(args ...string) []byte {
	return d.w.program("genltestctl", append([]string{"--socket", d.w.path("run", "control.sock")}, args...)...)
}

func (d *running) stop() {
	d.w.t.Helper()
	d.cmd.Process.Signal(syscall.SIGTERM) // Wait returns its effect
	if err := <-d.ended; err != nil {
		d.w.t.Errorf("%v; the end of its log: %s", err, tail(d.stderr.Bytes()))
	}
}

func tail(text []byte) []byte { return text[max(len(text)-2000, 0):] }

// proc returns the contents of a file of the process below /proc, or nil if it is not
// readable.
func (d *running) proc(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", d.cmd.Process.Pid, name))
	if err != nil && !os.IsPermission(err) {
		t.Fatal(err)
	}
	return text
}
