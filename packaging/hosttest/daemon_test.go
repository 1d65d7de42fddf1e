// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/syncbuffer"
	"github.com/genltestd/genltestd/internal/tmpfs"
	"github.com/genltestd/genltestd/metrics/scrape"
)

// A unit is the daemon under a service manager.
type unit struct {
	manager *manager
	config  string // file
	events  string // file of the sink
	runtime string // directory
	env     []string
	log     syncbuffer.Buffer // of all processes
	running *exec.Cmd
}

// newUnit returns a unit without a process. The end of the test kills its process.
func newUnit(t *testing.T) *unit {
	t.Helper()
	dir := t.TempDir()
	u := &unit{
		manager: newManager(t), config: filepath.Join(dir, "genltestd.yaml"), events: filepath.Join(dir, "events"),
		runtime: tmpfs.Shared(t),
	}
	u.env = append(os.Environ(), "STATE_DIRECTORY="+filepath.Join(dir, "state"), "RUNTIME_DIRECTORY="+u.runtime, "JOURNAL_STREAM=")
	t.Cleanup(func() {
		if u.running != nil {
			u.kill(t)
		}
		if t.Failed() {
			t.Logf("the log of the daemon:\n%s", u.log.String())
		}
	})
	return u
}

// configure writes the configuration of the next start or reload. families is YAML.
func (u *unit) configure(t *testing.T, families string) {
	t.Helper()
	u.write(t, "families: "+families+`
http: {listen: "127.0.0.1:9941"}
journal: {fsync: never}
sinks: [{name: out, file: {path: `+u.events+", fsync: never}}]\n")
}

// write replaces the configuration.
func (u *unit) write(t *testing.T, text string) {
	t.Helper()
	next := u.config + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, u.config); err != nil {
		t.Fatal(err)
	}
}

// start starts the daemon, and does not wait until it is ready.
func (u *unit) start(t *testing.T) {
	t.Helper()
	u.running = exec.Command(os.Getenv(programVariable), "--config", u.config)
	u.running.Env, u.running.Stderr = u.env, &u.log
	u.manager.start(t, u.running)
}

func (u *unit) awaitReady(t *testing.T) {
	t.Helper()
	u.manager.await(t, "READY=1")
}

func (u *unit) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := u.running.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (u *unit) kill(t *testing.T) {
	t.Helper()
	u.signal(t, os.Kill)
	u.running.Wait() // killed
	u.running = nil
}

func (u *unit) stop(t *testing.T) {
	t.Helper()
	u.signal(t, syscall.SIGTERM)
	if err := u.running.Wait(); err != nil {
		t.Errorf("the daemon ends with %v", err)
	}
	u.running = nil
}

// reload applies another list of families. The daemon rejects the list as long as the last events
// of a family that the list adds again are not in the journal.
func (u *unit) reload(t *testing.T, families string) {
	t.Helper()
	u.configure(t, families)
	poll.Until(t, "the daemon applies the list "+families, func() bool {
		u.signal(t, syscall.SIGHUP)
		u.awaitReady(t)
		applied, _ := scrape.Sum(u.metrics(t), "genltestd_config_last_reload_successful")
		return applied == 1
	})
}

// metrics returns the page of metrics.
func (u *unit) metrics(t *testing.T) string {
	t.Helper()
	response, err := http.Get("http://127.0.0.1:9941/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// An account is what the daemon knows of the events of a family.
type account struct{ received, lost int }

func accountOf(t *testing.T, page, family string) (a account) {
	t.Helper()
	for name, n := range map[string]*int{"genltestd_events_received_total": &a.received, "genltestd_events_lost_total": &a.lost} {
		value, ok := scrape.Sum(page, fmt.Sprintf("%s{family=%q}", name, family))
		if !ok {
			t.Fatalf("no metric %s of %s in\n%s", name, family, page)
		}
		*n = int(value)
	}
	return a
}

// A delivered event is a line of the sink's file.
type delivered struct {
	Seq                          uint64
	Kind, Family, Group, Command string
	Attributes                   json.RawMessage
	Error                        string
	Gap                          struct {
		Count  int
		Reason string
	}
}

// delivered returns the events in the sink's file, without a line that is not complete.
func (u *unit) delivered(t *testing.T) (all []delivered) {
	t.Helper()
	text, err := os.ReadFile(u.events)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var d delivered
		if err := json.Unmarshal(line, &d); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, d)
	}
	return all
}
