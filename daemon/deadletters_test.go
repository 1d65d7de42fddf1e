// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/internal/kernelmsg"
	"github.com/genltestd/genltestd/internal/poll"
)

func (f fixture) deadLetterBox(t *testing.T, sink string) *deadletter.Box {
	t.Helper()
	deadLetterBox, err := f.deadLetters().box(sink)
	if err != nil {
		t.Fatal(err)
	}
	return deadLetterBox
}

// addDeadLetters puts events into the box of a sink, as its worker does.
func (f fixture) addDeadLetters(t *testing.T, sink string, records ...[]byte) (ids []string) {
	t.Helper()
	for i, data := range records {
		id := deadletter.ID{Journal: f.journal.ID(), Seq: uint64(i + 1)}
		l := deadletter.Letter{
			ID: id, Received: time.Unix(1, 2), Data: data,
			Reason: "no", Kind: "http_status", Status: 400, Refused: time.Now(), Attempts: 1,
		}
		if err := f.deadLetterBox(t, sink).Add(l); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id.String())
	}
	return ids
}

func TestControlSocketServesDeadLetters(t *testing.T) {
	f := start(t, listenAnywhere+"sinks:\n- {name: out, stdout: {}}\n- {name: out2, stdout: {}}\n", newKernel(), prober{})
	ids := f.addDeadLetters(t, "out", kernelmsg.Event("one"), kernelmsg.Event("two\x1b\xff"), []byte("no event"))
	c := api.NewClient(f.socket.Bound().Addr())
	ctx := t.Context()

	var events []string
	err := c.Letters(ctx, "out", func(l api.Letter) error {
		var e struct{ ID, Message, Error string }
		if err := json.Unmarshal(l.Event, &e); err != nil {
			t.Error(err)
		}
		want := l
		want.ID, want.Received = e.ID, time.Unix(1, 2)
		want.Reason, want.Kind, want.Status, want.Attempts = "no", "http_status", 400, 1
		if diff := cmp.Diff(want, l); diff != "" || time.Since(l.Refused) > time.Hour {
			t.Errorf("letter of event %q, refused at %v (-want +got):\n%s", e.ID, l.Refused, diff)
		}
		events = append(events, e.Message+"|"+e.Error)
		return nil
	})
	want := []string{"one|", "two\x1b\ufffd|"}
	if err != nil || len(events) != 3 || !slices.Equal(events[:2], want) || events[2] == "|" {
		t.Errorf("events %q, %v", events, err)
	}
	if l, err := c.Letter(ctx, "out", ids[1]); err != nil || l.ID != ids[1] {
		t.Errorf("letter %+v, %v", l, err)
	}
	if n, err := c.Replay(ctx, "out", api.Selection{IDs: ids[:1]}); n != 1 || err != nil {
		t.Errorf("to replay: %d, %v", n, err)
	}
	poll.Until(t, "the letter is delivered again", func() bool {
		s := sinkState(t, f, "out")
		return s.Replayed == 1 && s.DeadLetters == 2 && strings.Contains(f.stdout.String(), `{"id":"`+ids[0]+`"`)
	})
	if n, err := c.Drop(ctx, "out", api.Selection{IDs: ids[1:2]}); n != 1 || err != nil {
		t.Errorf("dropped: %d, %v", n, err)
	}
	var boxes []api.Box
	if err := c.Boxes(ctx, func(b api.Box) error { b.Bytes = 0; boxes = append(boxes, b); return nil }); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]api.Box{{Sink: "out", Letters: 1}, {Sink: "out2"}}, boxes); diff != "" {
		t.Errorf("boxes (-want +got):\n%s", diff)
	}
	if n, err := c.Drop(ctx, "out", api.Selection{All: true}); n != 1 || err != nil {
		t.Errorf("dropped: %d, %v", n, err)
	}

	for name, do := range map[string]func() (int, error){
		"unknown sink": func() (int, error) { return c.Replay(ctx, "none", api.Selection{All: true}) },
		"unknown event": func() (int, error) {
			return c.Drop(ctx, "out", api.Selection{IDs: []string{ids[0]}})
		},
		"no id": func() (int, error) { return c.Drop(ctx, "out", api.Selection{IDs: []string{"17"}}) },
	} {
		var e *api.Error
		if n, err := do(); n != 0 || !errors.As(err, &e) || e.Status != http.StatusNotFound || !strings.Contains(err.Error(), "unknown") {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

// TestOnlyTheControlSocketServesDeadLetters: the user and the group of the socket may connect.
func TestOnlyTheControlSocketServesDeadLetters(t *testing.T) {
	f := start(t, listenAnywhere, newKernel(), prober{})
	for _, path := range []string{"/v1/dead-letters", "/v1/dead-letters/stdout"} {
		if code, body := f.get(t, path); code != http.StatusNotFound {
			t.Errorf("%s: %d %q", path, code, body)
		}
	}
	info, err := os.Stat(f.socket.Bound().Addr())
	if err != nil || info.Mode() != os.ModeSocket|0o660 {
		t.Errorf("%v, %v", info, err)
	}
	socket := f.socket.Bound().Addr()
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket still exists")
	}
}

func TestDeadLettersSurviveARestart(t *testing.T) {
	dirs := Dirs{State: t.TempDir(), Runtime: t.TempDir()}
	cfg := parse(t, listenAnywhere)
	run := func() fixture {
		return launch(t, cfg, Options{Dirs: dirs, Kernel: newKernel(), Echo: prober{}})
	}
	first := run()
	ids := first.addDeadLetters(t, "stdout", kernelmsg.Event("one"))
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	// A process that was killed leaves its socket.
	stale := filepath.Join(dirs.Runtime, api.SocketName)
	second := run()
	if err := os.Link(stale, stale+"x"); err != nil {
		t.Fatal(err)
	}
	if err := second.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(stale+"x", stale); err != nil {
		t.Fatal(err)
	}
	third := run()
	if l, err := api.NewClient(third.socket.Bound().Addr()).Letter(context.Background(), "stdout", ids[0]); err != nil || l.ID != ids[0] {
		t.Errorf("letter %+v, %v", l, err)
	}
}
