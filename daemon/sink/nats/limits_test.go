// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// deliverUntilRefused delivers batches until an attempt fails, and returns the number of accepted
// events.
func deliverUntilRefused(t *testing.T, s *Sink) (accepted int, err error) {
	t.Helper()
	for err == nil {
		if accepted > 100_000 {
			t.Fatal("no limit was reached")
		}
		var n int
		n, err = attempt(t, s, sinktest.Events(accepted+1, 100))
		accepted += n
	}
	return accepted, err
}

func TestFullStreamRefusesUntilItIsFreed(t *testing.T) {
	for name, batched := range map[string]bool{"batches": true, "one at a time": false} {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, "")
			_, js := client(t, string(server.url()))
			limited := func(limit int64) func(c *jetstream.StreamConfig) {
				return func(c *jetstream.StreamConfig) { c.MaxMsgs, c.AllowBatchPublish = limit, batched }
			}
			createStream(t, js, limited(250))
			s := newSink(t, config(server.url()))
			n, err := deliverUntilRefused(t, s)
			if n != 250 || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), "maximum messages exceeded") ||
				!strings.Contains(err.Error(), "raise the limit") {
				t.Errorf("%d accepted, %v", n, err)
			}
			createStream(t, js, limited(1000))
			deliver(t, s, sinktest.Events(n+1, 100))
			checkExactlyOnce(t, stored(t, js), n+100)
		})
	}
}

func TestLimitOfTheServerIsRetried(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until a batch makes no progress")
	}
	server := startServer(t, "jetstream { store_dir: \"STORE\", max_file_store: 100KiB, max_memory_store: 1MiB }")
	_, js := client(t, string(server.url()))
	createStream(t, js, nil)
	s := newSink(t, config(server.url()))
	n, err := deliverUntilRefused(t, s)
	if n == 0 || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), "Raise max_file_store") {
		t.Fatalf("%d accepted, %v", n, err)
	}
	server.configure(t, "jetstream { store_dir: \"STORE\", max_file_store: 100MiB, max_memory_store: 1MiB }")
	server.Restart()
	deliver(t, s, sinktest.Events(n+1, 500))
	checkExactlyOnce(t, stored(t, js), n+500)
}

// A message that is too large is refused alone, at any place in the batch: the events before and
// after it are accepted.
func TestLargeMessageIsAPermanentError(t *testing.T) {
	server := startServer(t, "max_payload: 64KiB")
	_, js := client(t, string(server.url()))
	createStream(t, js, func(c *jetstream.StreamConfig) { c.MaxMsgSize = 10_000 })
	want := 0
	for limit, size := range map[string]int{"stream": 20_000, "server": 100_000} {
		for _, place := range []int{0, 1, 57, 99} {
			s := newSink(t, config(server.url()))
			events := sinktest.Events(want*2+1, 101)
			deliver(t, s, events[:1]) // no longer in doubt
			events = events[1:]
			events[place].Message = []byte(strings.Repeat("x", size))
			n, err := attempt(t, s, events)
			if n != place || sink.Poisoned(err) != 1 || sink.RefusalOf(err).Kind != sink.RefusedTooLarge {
				t.Errorf("limit of the %s at %d: %d accepted, %v", limit, place, n, err)
			}
			deliver(t, s, events[place+1:])
			want += 100
			if got := len(stored(t, js)); got != want {
				t.Fatalf("limit of the %s at %d: %d messages are stored", limit, place, got)
			}
		}
	}
}

func TestSubjectWithoutAStreamIsAnError(t *testing.T) {
	server := startServer(t, "")
	s := newSink(t, config(server.url()))
	for range 2 {
		n, err := attempt(t, s, sinktest.Events(1, 10))
		if n != 0 || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), "no stream captures the subject") ||
			!strings.Contains(err.Error(), "genltestd.web-1.genltest.mcgrp") {
			t.Errorf("%d accepted, %v", n, err)
		}
	}
	_, js := client(t, string(server.url()))
	createStream(t, js, nil)
	deliver(t, s, sinktest.Events(1, 10))
	checkExactlyOnce(t, stored(t, js), 10)
}

func TestStreamIsCreated(t *testing.T) {
	server := startServer(t, "")
	_, js := client(t, string(server.url()))
	c := config(server.url())
	c.Stream.Name, c.Stream.MaxBytes, c.Stream.MaxAge = streamOfTest, 10<<20, value.Duration(time.Hour)
	deliver(t, newSink(t, c), sinktest.Events(1, 2000))
	checkExactlyOnce(t, stored(t, js), 2000)
	stream, err := js.Stream(t.Context(), streamOfTest)
	if err != nil {
		t.Fatal(err)
	}
	got := stream.CachedInfo().Config
	if !got.AllowBatchPublish || got.Subjects[0] != "genltestd.>" || got.MaxBytes != 10<<20 || got.MaxAge != time.Hour ||
		got.Duplicates != 10*time.Minute || got.Discard != jetstream.DiscardNew || got.Storage != jetstream.FileStorage {
		t.Errorf("%+v", got)
	}
}

// The stream of another owner with this name is not changed.
func TestStreamOfAnotherOwnerIsNotChanged(t *testing.T) {
	server := startServer(t, "")
	_, js := client(t, string(server.url()))
	createStream(t, js, func(c *jetstream.StreamConfig) { c.Subjects = []string{"orders.>"} })
	c := config(server.url())
	c.Stream.Name = streamOfTest
	n, err := attempt(t, newSink(t, c), sinktest.Events(1, 10))
	if n != 0 || !strings.Contains(err.Error(), "already in use") || !strings.Contains(err.Error(), "no stream captures") ||
		!strings.Contains(err.Error(), "create the stream "+streamOfTest+" at "+string(server.url())) {
		t.Errorf("%d accepted, %v", n, err)
	}
	stream, err := js.Stream(t.Context(), streamOfTest)
	if err != nil || stream.CachedInfo().Config.Subjects[0] != "orders.>" {
		t.Errorf("%+v, %v", stream, err)
	}
}

func TestMissingPermissionNamesTheRemedy(t *testing.T) {
	user := func(permissions string) string {
		return `authorization { users: [{user: admin, password: "admin-password"}, ` +
			`{user: sink, password: "sink-password", permissions: {` + permissions + `}}] }`
	}
	for name, permissions := range map[string]string{
		"publish":   `publish: ["other.>"], subscribe: ["_INBOX.>"]`,
		"subscribe": `publish: ["genltestd.>"], subscribe: ["other.>"]`,
	} {
		for _, mode := range []string{modeJetStream, modeCore} {
			if name == "subscribe" && mode == modeCore {
				continue // it needs no answers
			}
			server := startServer(t, user(permissions))
			c := config(server.url())
			c.Mode, c.User, c.Password = mode, "sink", value.Inline("sink-password")
			s := newSink(t, c)
			for range 2 {
				n, err := attempt(t, s, sinktest.Events(1, 10))
				if n != 0 || err == nil || !strings.Contains(err.Error(), "permissions violation") ||
					!strings.Contains(err.Error(), `allow user "sink" to publish it and to subscribe to _INBOX.>`) {
					t.Errorf("%s, %s: %d accepted, %v", name, mode, n, err)
				}
			}
		}
	}
}

// renamed returns events of several subjects.
func renamed(events []event.Event, host string) []event.Event {
	for i := range events {
		events[i].Host = host
	}
	return events
}

func TestCharactersOfSubjectsAreReplaced(t *testing.T) {
	server := startServer(t, "")
	_, js := client(t, string(server.url()))
	createStream(t, js, nil)
	s := newSink(t, config(server.url()))
	for i, host := range []string{"web-1.example.com", "", "a b*c>d\r\n", "\xff\x00é"} {
		deliver(t, s, renamed(sinktest.Events(1+10*i, 10), host))
	}
	messages := stored(t, js)
	for i, want := range []string{"web-1_example_com", "_", `a_b_c_d\r\n`, `\xff\x00é`} {
		if got := messages[10*i].Subject; got != "genltestd."+want+".genltest.mcgrp" {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
