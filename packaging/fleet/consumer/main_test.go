// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/realserver"
	"github.com/genltestd/genltestd/internal/syncbuffer"
	"github.com/genltestd/genltestd/packaging/natscluster"
)

const (
	history = `{"id":"a-1","seq":1,"kind":"event","host":"web-1"}
{"id":"b-5","seq":5,"kind":"event","host":"web-2"}
{"id":"a-2","seq":2,"kind":"event","host":"web-1"}
{"id":"a-2","seq":2,"kind":"suppressed","host":"web-1"}
{"id":"a-0-test-00000000000000a1","seq":0,"kind":"test","host":"web-1"}
{"id":"a-2","seq":2,"kind":"event","host":"web-1"}
{"id":"a-6","seq":6,"kind":"event","host":"web-1"}
{"id":"b-6","seq":6,"kind":"gap","host":"web-2","gap":{"count":17,"reason":"kernel_buffer"}}
{"id":"c-1","seq":1,"kind":"event","host":"web-1"}
`
	breaks = `web-2 begins at 5
web-1 sent 2 again
web-1 skipped 3 to 5
web-2 lost 17 events before 6: kernel_buffer
`
)

// The reader of a stream on a real server prints all events and all breaks.
func TestConsumer(t *testing.T) {
	address := sinktest.FreeAddress(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "server.conf")
	text := fmt.Sprintf("listen: %q\njetstream { store_dir: %q }\n", address, dir)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	realserver.Start(t, realserver.Spec{Program: "nats-server", Args: []string{"-c", file}, Ready: natscluster.Listens(address)})
	js := natscluster.Client(t, "nats://"+address)
	natscluster.CreateStream(t, js, 1)
	publish(t, js)

	var out, errs syncbuffer.Buffer
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- run(ctx, "nats://"+address, natscluster.Stream, &out, &errs) }()
	poll.Until(t, "the last event is printed", func() bool { return strings.Contains(out.String(), "c-1") })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(history, out.String()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(breaks, errs.String()); diff != "" {
		t.Errorf("breaks (-want +got):\n%s", diff)
	}
}

func publish(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for line := range strings.Lines(history) {
		if _, err := js.Publish(ctx, "genltestd.test", []byte(strings.TrimSuffix(line, "\n"))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestContinuityReportsForeignMessages(t *testing.T) {
	if got := (continuity{}).check([]byte("hello")); !strings.HasPrefix(got, "not an event: ") {
		t.Errorf("%q", got)
	}
}

// docs/fleet.md shows this program.
func TestPageShowsTheProgram(t *testing.T) {
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(program), "\npackage main\n")
	if !strings.Contains(string(page), "```go\npackage main\n"+code+"```\n") {
		t.Error("docs/fleet.md does not contain main.go; copy it from the line \"package main\" on")
	}
}
