// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/daemon/sink/window"
)

func TestDocumentationContainsTheTableOfCodes(t *testing.T) {
	page, err := os.ReadFile("../../../docs/sinks/amqp.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, row := range codes {
		fmt.Fprintf(&want, "| %d %s | %s | %s |\n", row.code, row.name, row.verdict, row.why)
	}
	if !strings.Contains(string(page), "| --- | --- | --- |\n"+want.String()+"\n") {
		t.Errorf("docs/sinks/amqp.md lacks this table:\n%s", want.String())
	}
}

func TestVerdicts(t *testing.T) {
	server := func(code int, reason string) *amqp091.Error {
		return &amqp091.Error{Code: code, Reason: reason, Server: true}
	}
	for _, tt := range []struct {
		err  *amqp091.Error
		want verdict
	}{
		{server(311, "CONTENT_TOO_LARGE"), permanent},
		{server(406, "PRECONDITION_FAILED - message size 5 is larger than configured max size 4"), permanent},
		{server(406, "PRECONDITION_FAILED - invalid expiration 'x'"), retry},
		{server(404, "NOT_FOUND - message size"), retry},
		{server(999, "unknown"), retry},
		{&amqp091.Error{Code: 311, Reason: "not from the broker"}, retry},
	} {
		if got, _ := evaluate(tt.err); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.err, got, tt.want)
		}
	}
	for _, row := range codes {
		if got, _ := evaluate(server(row.code, row.name)); got != row.verdict {
			t.Errorf("%d: %s, want %s", row.code, got, row.verdict)
		}
	}
}

// The broker refuses the size of a message that is in flight. Only delivery can find it, and
// only if it is among the events of the attempt.
func TestOnlyEventsOfTheAttemptAreBlamed(t *testing.T) {
	s := &Sink{session: new(session)}
	tooLarge := &amqp091.Error{Code: 311, Reason: "CONTENT_TOO_LARGE", Server: true}
	for _, tt := range []struct{ inFlight, events, want int }{{1, 1, 1}, {5, 5, 5}, {5, 9, 5}, {2, 1, 0}, {9, 5, 0}} {
		err := s.failed(t.Context(), &loss{err: tooLarge, inFlight: tt.inFlight}, tt.events)
		if got := sink.Poisoned(err); got != tt.want {
			t.Errorf("%d in flight, %d events: %d are blamed, want %d", tt.inFlight, tt.events, got, tt.want)
		}
	}
}

// Delivery has abandoned the event of the only message in flight, and the broker refuses its size
// before the next event is sent.
func TestEventThatWasNotSentIsNotBlamed(t *testing.T) {
	raw, other := net.Pipe()
	defer other.Close()
	tooLarge := &amqp091.Error{Code: 311, Reason: "CONTENT_TOO_LARGE", Server: true}
	s := &Sink{session: &session{
		raw: raw, channel: new(amqp091.Channel), sent: make(chan sent, 1),
		lost: func() *loss { return &loss{err: tooLarge, inFlight: 1, last: 1} },
	}}
	s.session.published.Store(1)
	events := sinktest.Events(2, 1)
	n, err := s.window.Deliver(t.Context(), events, func(_ *event.Event, m *window.Message) error {
		unsendable := amqp091.Table{"x": struct{}{}} // the library returns an error
		return s.session.publish("", true, &message{publishing: amqp091.Publishing{Headers: unsendable}}, m.Done)
	})
	err = s.failed(t.Context(), err, len(events)-n)
	if n != 0 || err == nil || sink.Poisoned(err) > 0 {
		t.Errorf("%d accepted, %d blamed: %v", n, sink.Poisoned(err), err)
	}
}
