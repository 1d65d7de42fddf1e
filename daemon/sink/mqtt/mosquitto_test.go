// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

func TestMessageHasTopicAndProperties(t *testing.T) {
	b := startBroker(t)
	w := watch(t, b.address)
	c := configFor(b.address)
	c.Topic, c.UserProperties = "x/{{.Family}}/{{.Message}}", []UserProperty{{"text", "<{{.Message}}>"}, {"group", "{{.Group}}"}}
	c.MessageExpiry = value.Duration(time.Hour)
	events := sinktest.Events(1, 1)
	events[0].Message = []byte("a/+\n")
	if n, err := newSink(t, c).Deliver(t.Context(), events); n != 1 || err != nil {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	m := w.await(t, 1)[0]
	want := []packets.User{
		{Key: "id", Value: events[0].ID()},
		{Key: "time", Value: events[0].Time.UTC().Format(time.RFC3339Nano)},
		{Key: "text", Value: `<a/+\n>`},
		{Key: "group", Value: "mcgrp"},
	}
	if diff := cmp.Diff(want, m.Properties.User); diff != "" {
		t.Errorf("user properties (-want +got):\n%s", diff)
	}
	if m.Topic != `x/genltest/a__\n` || m.Properties.ContentType != "application/json" || m.QoS != 1 || m.Retain {
		t.Errorf("got %s", m)
	}
	if m.Properties.MessageExpiry == nil || *m.Properties.MessageExpiry > 3600 {
		t.Errorf("the expiry is %v", m.Properties.MessageExpiry)
	}
}

// The next attempt is cautious because of the events that were in flight, and a test does not end that.
func TestATestDoesNotEndTheCaution(t *testing.T) {
	b := startBroker(t)
	s := newSink(t, configFor(b.address))
	s.cautious = true
	for i, events := range [][]event.Event{{sinktest.TestEvent(1)}, sinktest.Events(1, 1)} {
		if n, err := s.Deliver(t.Context(), events); n != 1 || err != nil || s.cautious != (i == 0) {
			t.Errorf("attempt %d: %d accepted, %v, cautious %t", i, n, err, s.cautious)
		}
	}
}

func TestLaterSubscriberReceivesTheRetainedMessage(t *testing.T) {
	b := startBroker(t)
	c := configFor(b.address)
	c.Retain = true
	if n, err := newSink(t, c).Deliver(t.Context(), sinktest.Events(1, 3)); n != 3 || err != nil {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	m := watch(t, b.address).await(t, 1)[0]
	if got := sinktest.ParseJSON(t, m.Payload); !m.Retain || got.ID != sinktest.Events(3, 1)[0].ID() {
		t.Errorf("got %s", m)
	}
}

func TestQoS0IsNotAcknowledged(t *testing.T) {
	b := startBroker(t)
	w := watch(t, b.address)
	c := configFor(b.address)
	c.QoS = 0
	s := newSink(t, c)
	if n, err := s.Deliver(t.Context(), sinktest.Events(1, 100)); n != 100 || err != nil {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, m := range w.await(t, 100) {
		if m.QoS != 0 {
			t.Fatalf("got %s", m)
		}
	}
}

// mosquitto 2.0 announces the Topic Alias Maximum of its option max_topic_alias.
func TestTopicIsSentOnceOnTheWire(t *testing.T) {
	for _, limit := range []int{10, 0} {
		b := startBroker(t, fmt.Sprintf("max_topic_alias %d", limit))
		w := watch(t, b.address)
		tap := startTap(t, b.address)
		c := configFor(tap.address)
		if n, err := newSink(t, c).Deliver(t.Context(), sinktest.Events(1, 50)); n != 50 || err != nil {
			t.Fatalf("accepted %d events, %v", n, err)
		}
		want := 1
		if limit == 0 {
			want = 50
		}
		const topic = "genltestd/web-1/genltest/mcgrp"
		if got := strings.Count(tap.text(), topic); got != want {
			t.Errorf("max_topic_alias %d: the topic was sent %d times, want %d", limit, got, want)
		}
		for _, m := range w.await(t, 50) {
			if m.Topic != topic {
				t.Fatalf("max_topic_alias %d: got %s", limit, m)
			}
		}
	}
}

func TestExpiredMessageIsNotDelivered(t *testing.T) {
	skipInShort(t)
	b := startBroker(t)
	w := watch(t, b.address)
	w.end() // its session receives what follows
	c := configFor(b.address)
	c.MessageExpiry = value.Duration(time.Second)
	s := newSink(t, c)
	if n, err := s.Deliver(t.Context(), sinktest.Events(1, 1)); n != 1 || err != nil {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	accepted := time.Now()
	poll.Until(t, "the message has expired", func() bool { return time.Since(accepted) > 2*time.Second })
	c.MessageExpiry = 0
	if n, err := newSink(t, c).Deliver(t.Context(), sinktest.Events(2, 1)); n != 1 || err != nil {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	w = w.again(t)
	if got := sinktest.ParseJSON(t, w.await(t, 1)[0].Payload); got.ID != sinktest.Events(2, 1)[0].ID() {
		t.Errorf("the first message is %s", got.ID)
	}
}

// The other client has the id of the sink's default. mosquitto 2.0 ends the first connection
// without a reason.
func TestSessionTakenOverIsNamed(t *testing.T) {
	b := startBroker(t)
	s := newSink(t, configFor(b.address))
	for round := 1; ; round++ {
		n, err := s.Deliver(t.Context(), sinktest.Events(round, 1))
		if err != nil {
			if n != 0 || round != maxClosed+2 || !strings.Contains(err.Error(), "another client") || sink.RetryDelay(err) != takeoverDelay {
				t.Errorf("round %d: accepted %d events, %v", round, n, err)
			}
			break
		}
		if n, err := newSink(t, configFor(b.address)).Deliver(t.Context(), sinktest.Events(1, 1)); n != 1 || err != nil {
			t.Fatalf("the other client: accepted %d events, %v", n, err)
		}
		poll.Until(t, "the first connection has ended", func() bool { return s.link.hasEnded() })
	}
	if n, err := s.Deliver(t.Context(), sinktest.Events(2, 1)); n != 1 || err != nil {
		t.Errorf("then accepted %d events, %v", n, err)
	}
}

// A broker that is restarted also ends connections without a reason.
func TestRestartsOfTheBrokerAreNotTakeovers(t *testing.T) {
	b := startBroker(t)
	s := newSink(t, configFor(b.address))
	for round := range maxClosed + 3 {
		if n, err := s.Deliver(t.Context(), sinktest.Events(round+1, 1)); n != 1 || err != nil {
			t.Fatalf("accepted %d events, %v", n, err)
		}
		b.Stop()
		poll.Until(t, "the connection has ended", func() bool { return s.link.hasEnded() })
		if n, err := s.Deliver(t.Context(), sinktest.Events(round+2, 1)); n != 0 || err == nil || sink.RetryDelay(err) > 0 {
			t.Fatalf("without a broker: accepted %d events, %v", n, err)
		}
		b.Restart()
	}
}

func TestClientIDsDiffer(t *testing.T) {
	b := startBroker(t)
	for i, tt := range []struct{ configured, want string }{
		{"", "genltestd-6a9155caa46c7dcc-bus"},
		{"web-1 x", "web-1 x"},
	} {
		c := configFor(b.address)
		c.ClientID = tt.configured
		if n, err := newSink(t, c).Deliver(t.Context(), sinktest.Events(i+1, 1)); n != 1 || err != nil {
			t.Fatalf("accepted %d events, %v", n, err)
		}
		poll.Until(t, "the log contains "+tt.want, func() bool { return b.LogContains(" as " + tt.want + " (p5, c1, k30)") })
	}
}

// mosquitto announces the first limit. It closes the connection after an event beyond the second.
func TestLargeEventIsAPermanentError(t *testing.T) {
	for _, line := range []string{"max_packet_size 1000", "message_size_limit 1000"} {
		b := startBroker(t, line)
		w := watch(t, b.address)
		s := newSink(t, configFor(b.address))
		events := sinktest.Events(1, 3)
		events[1].Message = []byte(strings.Repeat("x", 2000))
		n, err := 0, error(nil)
		for attempts := 0; sink.Poisoned(err) == 0 && attempts < 3; attempts++ {
			var m int
			m, err = s.Deliver(t.Context(), events[n:])
			n += m
		}
		if n != 1 || sink.Poisoned(err) != 1 || sink.RefusalOf(err).Kind != sink.RefusedTooLarge {
			t.Fatalf("%s: accepted %d events, %v", line, n, err)
		}
		poll.UntilNil(t, line+": the next event is accepted", func() error {
			_, err := s.Deliver(t.Context(), events[2:])
			return err
		})
		w.await(t, 2)
	}
}

// The rules of the broker can be corrected while events wait.
func TestUnauthorizedTopicIsRetried(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "acl")
	write := func(text string) {
		if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("topic read #\n")
	b := startBroker(t, "acl_file "+rules)
	w := watch(t, b.address)
	s := newSink(t, configFor(b.address))
	n, err := s.Deliver(t.Context(), sinktest.Events(1, 3))
	if n != 0 || err == nil || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), "not authorized") {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	write("topic readwrite #\n")
	b.Restart()
	w.awaitSubscription(t)
	poll.UntilNil(t, "the events are accepted", func() error {
		n, err := s.Deliver(t.Context(), sinktest.Events(1, 3))
		if err != nil {
			return fmt.Errorf("accepted %d events, %w", n, err)
		}
		return nil
	})
	w.await(t, 3)
}
