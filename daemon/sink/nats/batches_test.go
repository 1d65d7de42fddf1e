// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// usesBatches reports whether the sink has sent batches.
func usesBatches(s *Sink) bool { return s.link.batches == batchesAccepted && s.alone.IsZero() }

func TestBatchesAreUsed(t *testing.T) {
	server := startServer(t, "")
	_, js := client(t, string(server.url()))
	createStream(t, js, nil)
	s := newSink(t, config(server.url()))
	deliver(t, s, sinktest.Events(1, 1000))
	if !usesBatches(s) || s.doubt {
		t.Errorf("batches %v, alone until %v, doubt %v", s.link.batches, s.alone, s.doubt)
	}
	checkExactlyOnce(t, stored(t, js), 1000)
}

// After a failure, an event could be in a batch while the stream is about to store an earlier
// copy of it.
func TestDoubtEndsWithANewEvent(t *testing.T) {
	server := startServer(t, "")
	_, js := client(t, string(server.url()))
	createStream(t, js, nil)
	deliver(t, newSink(t, config(server.url())), sinktest.Events(1, 100)) // of an earlier process
	s := newSink(t, config(server.url()))
	for i := range 100 {
		// A test between them is new, but not the next event.
		if n, err := attempt(t, s, []event.Event{sinktest.TestEvent(uint64(i))}); n != 1 || err != nil || !s.doubt {
			t.Fatalf("test %d: %d accepted, %v, doubt %v", i, n, err, s.doubt)
		}
		if n, err := attempt(t, s, sinktest.Events(1+i, 1)); n != 1 || err != nil || !s.doubt {
			t.Fatalf("event %d: %d accepted, %v, doubt %v", i+1, n, err, s.doubt)
		}
	}
	deliver(t, s, sinktest.Events(101, 1))
	if s.doubt {
		t.Error("the sink is in doubt after a new event")
	}
	deliver(t, s, sinktest.Events(102, 99))
	all := slices.DeleteFunc(stored(t, js), func(m *jetstream.RawStreamMsg) bool { return strings.Contains(m.Header.Get(headerID), "-test-") })
	checkExactlyOnce(t, all, 200)
}

// A process that was killed has left events in the stream. They are not sent one by one: over a
// slow network, each would cost a round trip.
func TestStoredEventsAreFoundByQuestions(t *testing.T) {
	server := startServer(t, "")
	_, js := client(t, string(server.url()))
	createStream(t, js, nil)
	deliver(t, newSink(t, config(server.url())), sinktest.Events(1, 700))
	for _, tt := range []struct {
		first, n int
		fresh    bool
	}{{1, 500, false}, {400, 301, false}, {401, 301, true}, {600, 500, true}} {
		s := newSink(t, config(server.url()))
		events := sinktest.Events(tt.first, tt.n)
		if err := s.connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		fresh, err := s.resolve(t.Context(), events)
		if fresh != tt.fresh || err != nil {
			t.Errorf("%d events from %d: fresh %v, %v", tt.n, tt.first, fresh, err)
		}
		if n := len(stored(t, js)); n != 700 {
			t.Fatalf("the questions have stored %d events", n-700)
		}
	}
	s := newSink(t, config(server.url()))
	deliver(t, s, sinktest.Events(1, 700))
	if !s.doubt {
		t.Error("the sink is not in doubt about the next event")
	}
	deliver(t, s, sinktest.Events(701, 700))
	if s.doubt || s.link.count > 0 {
		t.Errorf("doubt %v, %d single messages", s.doubt, s.link.count)
	}
	checkExactlyOnce(t, stored(t, js), 1400)
}

// A server has room for a number of batches. Another publisher uses it up here.
func TestBatchesOfOthersLeaveNoRoom(t *testing.T) {
	server := startServer(t, "jetstream { store_dir: \"STORE\", limits: { batch: { max_inflight_per_stream: 1, timeout: 1h } } }")
	nc, js := client(t, string(server.url()))
	createStream(t, js, nil)
	answers, err := nc.SubscribeSync("_INBOX.other.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.PublishRequest("genltestd.other", "_INBOX.other.batch.10.fail.1.0.$FI", []byte(`{"seq":0}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := answers.NextMsgWithContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := newSink(t, config(server.url()))
	if failures := deliver(t, s, sinktest.Events(1, 500)); len(failures) > 0 {
		t.Error(failures)
	}
	if usesBatches(s) {
		t.Error("the sink has opened a second batch")
	}
	checkExactlyOnce(t, stored(t, js)[1:], 500)
}

// An old server stores the first message of a batch like any other. It must not receive others
// before this is known, because it would store them out of order after a failure.
func TestServerWithoutBatchesReceivesOneEventAtATime(t *testing.T) {
	server := startServer(t, "")
	nc, _ := client(t, string(server.url()))
	var pending, most, count atomic.Int64
	_, err := nc.Subscribe("genltestd.>", func(m *nats.Msg) {
		most.Store(max(most.Load(), pending.Add(1)))
		pending.Add(-1)
		if m.Header.Get(nats.ExpectedLastSeqHdr) != "" {
			_ = m.Respond([]byte(`{"stream":"OLD","error":{"code":400,"err_code":10071,"description":"wrong last sequence: 0"}}`))
			return
		}
		_ = m.Respond(fmt.Appendf(nil, `{"stream":"OLD","seq":%d}`, count.Add(1))) // or the test fails
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	s := newSink(t, config(server.url()))
	if failures := deliver(t, s, sinktest.Events(1, 500)); len(failures) > 0 {
		t.Error(failures)
	}
	if count.Load() != 500 || usesBatches(s) {
		t.Errorf("%d messages, batches %v", count.Load(), s.link.batches)
	}
}

// Another program that answers is not a stream.
func TestAnswerOfAnotherProgramIsAnError(t *testing.T) {
	server := startServer(t, "")
	nc, _ := client(t, string(server.url()))
	for _, text := range []string{"+OK", "{}", "", `"x"`} {
		sub, err := nc.Subscribe("genltestd.>", func(m *nats.Msg) { _ = m.Respond([]byte(text)) })
		if err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		n, err := attempt(t, newSink(t, config(server.url())), sinktest.Events(1, 10))
		if n != 0 || err == nil || !strings.Contains(err.Error(), "another program") {
			t.Errorf("%q: %d accepted, %v", text, n, err)
		}
		if err := sub.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, subject := range []string{"p1", "id.500.fail.7.1.$FI", "", ".", "id.500.fail.-1.1.$FI", "a.b.c.d.e.f.g"} {
		for _, text := range []string{
			`{"type":"ack","seq":500,"msgs":500}`, `{"type":"gap","last_seq":3,"seq":9}`,
			`{"type":"err","seq":5,"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}`,
			`{"stream":"EVENTS","seq":7,"batch":"id","count":9}`, `{"stream":"EVENTS","seq":7,"duplicate":true}`, "", "null", "{", "[]",
			`{"type":"ack","seq":18446744073709551615,"msgs":-1}`, `{"stream":"E","batch":"id","count":-9}`,
		} {
			f.Add(subject, text)
		}
	}
	f.Fuzz(func(t *testing.T, subject, text string) {
		a := parseAnswer(subject, &nats.Msg{Data: []byte(text)})
		l := &link{conn: new(nats.Conn)}
		b := &batch{sink: &Sink{link: l}, link: l, id: "id", events: sinktest.Events(1, 10), sent: 10, ending: true}
		if a.reply.Error == nil || a.seq < 2 { // else it would publish
			_ = b.handle(a)
		}
		if b.stored < 0 || b.stored > b.sent || b.link.window < 0 {
			t.Errorf("%q, %q: %d stored, a window of %d", subject, text, b.stored, b.link.window)
		}
	})
}

func FuzzSubject(f *testing.F) {
	for _, text := range []string{"", "web-1.example.com", "*", ">", "a b", "\xff", "é", "\u2028", "$JS"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token := string(appendToken(nil, []byte(text)))
		if strings.ContainsAny(token, ".*> \t\r\n\x00") || token == "" {
			t.Errorf("%q becomes %q", text, token)
		}
		if err := acceptSubject([]byte("x." + token)); err != nil && len(token) < maxSubject-2 {
			t.Errorf("%q: %v", token, err)
		}
		if header := string(appendHeader(nil, []byte(text))); acceptHeader([]byte(header)) != nil {
			t.Errorf("%q becomes %q", text, header)
		}
	})
}

func TestInvalidSubjectsAreRejected(t *testing.T) {
	for _, text := range []string{"", "a b", "a..b", ".a", "a.", "a.*", "a.>", "$JS.x", "a\nb", strings.Repeat("a", maxSubject+1)} {
		if acceptSubject([]byte(text)) == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	for template, want := range map[string]string{"a.b.{{.Host}}": "a.b.>", "{{.Host}}.a": "", "a-{{.Host}}": "", "a.b": "a.b"} {
		if got := fixedSubject(template); got != want {
			t.Errorf("%q: %q, want %q", template, got, want)
		}
	}
}

// The stream has reported that every message is stored, but the confirmation of the end is lost.
func TestStoredBatchIsAcceptedWithoutItsConfirmation(t *testing.T) {
	b := &batch{events: sinktest.Events(1, 2), sent: 2, stored: 2}
	for _, err := range []error{nil, context.DeadlineExceeded, &serverError{Code: unknownBatch}} {
		if got := b.outcome(err); got != nil {
			t.Errorf("after %v: %v", err, got)
		}
	}
}
