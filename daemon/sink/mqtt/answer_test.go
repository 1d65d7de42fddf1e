// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func TestEveryCodeOfConnackIsRetried(t *testing.T) {
	for _, row := range reasons[2:] {
		f := startFake(t, func(*packets.ControlPacket) ([]packets.Packet, bool) {
			return connack(row.code, &packets.Properties{ReasonString: "because \x1b[2J"}), true
		})
		n, err := newSink(t, configFor(f.address)).Deliver(t.Context(), sinktest.Events(1, 3))
		want := fmt.Sprintf("connect to mqtt://%s: %s (reason code 0x%02x): \"because", f.address, row.name, row.code)
		if n != 0 || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), row.remedy) {
			t.Errorf("accepted %d events, %v", n, err)
		}
	}
}

// A failed event leaves the others of the window accepted: they are not sent again.
func TestCodesOfPuback(t *testing.T) {
	for _, row := range reasons {
		refusals := 1
		f := startFake(t, publishing(nil, func(m *packets.Publish) ([]packets.Packet, bool) {
			if m.PacketID == 2 && refusals > 0 {
				refusals--
				return puback(m, row.code, "text"), false
			}
			return puback(m, 0, ""), false
		}))
		s := newSink(t, configFor(f.address))
		n, err := s.Deliver(t.Context(), sinktest.Events(1, 4))
		switch row.verdict {
		case accepted:
			if n != 4 || err != nil {
				t.Errorf("%s: accepted %d events, %v", row.name, n, err)
			}
			continue
		case permanent:
			if n != 1 || sink.Poisoned(err) != 1 {
				t.Errorf("%s: accepted %d events, %v", row.name, n, err)
			}
		case retry:
			if n != 1 || err == nil || sink.Poisoned(err) != 0 {
				t.Errorf("%s: accepted %d events, %v", row.name, n, err)
			}
		}
		if !strings.Contains(err.Error(), row.name) || !strings.Contains(err.Error(), "genltestd/web-1/genltest/mcgrp") {
			t.Errorf("%s: %v", row.name, err)
		}
		if n, err := s.Deliver(t.Context(), sinktest.Events(2, 3)); n != 3 || err != nil {
			t.Errorf("%s: then accepted %d events, %v", row.name, n, err)
		}
	}
}

// An event that makes the broker end the connection is among those in flight.
func TestCodesOfDisconnect(t *testing.T) {
	for _, row := range reasons[2:] {
		f := startFake(t, publishing(nil, func(m *packets.Publish) ([]packets.Packet, bool) {
			if m.PacketID == 3 {
				return disconnect(row.code, "text"), true
			}
			if m.PacketID == 1 {
				return puback(m, 0, ""), false
			}
			return nil, false
		}))
		n, err := newSink(t, configFor(f.address)).Deliver(t.Context(), sinktest.Events(1, 3))
		if n != 1 || err == nil || !strings.Contains(err.Error(), row.name) {
			t.Errorf("%s: accepted %d events, %v", row.name, n, err)
		}
		if got := sink.Poisoned(err); (row.verdict == permanent) != (got == 2) {
			t.Errorf("%s: poisoned %d", row.name, got)
		}
		if takenOver := row.code == codeTakenOver; takenOver != (sink.RetryDelay(err) == takeoverDelay) {
			t.Errorf("%s: retry after %v", row.name, sink.RetryDelay(err))
		}
	}
}

func TestBrokerThatDoesNotSpeakMQTT(t *testing.T) {
	for name, answer := range map[string][]packets.Packet{
		"PUBLISH":    {&packets.Publish{Topic: "x", Properties: &packets.Properties{}}},
		"PINGRESP":   {&packets.Pingresp{}},
		"DISCONNECT": disconnect(0, ""),
	} {
		f := startFake(t, func(*packets.ControlPacket) ([]packets.Packet, bool) { return answer, true })
		n, err := newSink(t, configFor(f.address)).Deliver(t.Context(), sinktest.Events(1, 1))
		if n != 0 || err == nil || !strings.Contains(err.Error(), "unexpected packet, "+name) {
			t.Errorf("%s: accepted %d events, %v", name, n, err)
		}
	}
}

func TestLimitsOfTheBrokerAreRespected(t *testing.T) {
	two, size, one := uint16(2), uint32(400), uint16(1)
	f := startFake(t, publishing(&packets.Properties{ReceiveMaximum: &two, MaximumPacketSize: &size, TopicAliasMaximum: &one}, acceptAll))
	s := newSink(t, configFor(f.address))
	events := sinktest.Events(1, 10)
	events[5].Message = []byte(strings.Repeat("x", 400))
	n, err := s.Deliver(t.Context(), events)
	if n != 5 || sink.Poisoned(err) != 1 || sink.RefusalOf(err).Kind != sink.RefusedTooLarge ||
		!strings.Contains(err.Error(), "Maximum Packet Size") {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	if n, err := s.Deliver(t.Context(), events[6:]); n != 4 || err != nil {
		t.Fatalf("then accepted %d events, %v", n, err)
	}
	for i, m := range f.published() {
		if first := i == 0; *m.Properties.TopicAlias != 1 || (m.Topic == "") == first {
			t.Errorf("message %d has the topic %q and the number %d", i, m.Topic, *m.Properties.TopicAlias)
		}
	}
	if s.window.Limit != 2 {
		t.Errorf("the limit is %d", s.window.Limit)
	}
}

// The fake broker answers only when the Receive Maximum is reached, or never if it is exceeded.
func TestReceiveMaximumIsReachedAndNotExceeded(t *testing.T) {
	const limit = 5
	receive, waiting := uint16(limit), []*packets.Publish(nil)
	answer := func(m *packets.Publish) (answers []packets.Packet, last bool) {
		if waiting = append(waiting, m); len(waiting) < limit {
			return nil, false
		}
		for _, m := range waiting {
			answers = append(answers, puback(m, 0, "")...)
		}
		waiting = nil
		return answers, false
	}
	f := startFake(t, publishing(&packets.Properties{ReceiveMaximum: &receive}, answer))
	if n, err := newSink(t, configFor(f.address)).Deliver(t.Context(), sinktest.Events(1, 10*limit)); n != 10*limit || err != nil {
		t.Errorf("accepted %d events, %v", n, err)
	}
}

func TestUnsupportedSettingsAreReported(t *testing.T) {
	zero := byte(0)
	for name, tt := range map[string]struct {
		properties packets.Properties
		change     func(*Config)
		want       string
	}{
		"QoS":    {packets.Properties{MaximumQOS: &zero}, func(*Config) {}, "QoS not supported"},
		"retain": {packets.Properties{RetainAvailable: &zero}, func(c *Config) { c.Retain = true }, "set retain: false"},
	} {
		f := startFake(t, publishing(&tt.properties, acceptAll))
		c := configFor(f.address)
		tt.change(c)
		n, err := newSink(t, c).Deliver(t.Context(), sinktest.Events(1, 1))
		if n != 0 || err == nil || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: accepted %d events, %v", name, n, err)
		}
	}
}

// The broker has lost the messages, or their acknowledgements: they are sent again over another
// connection, with their numbers and the flag DUP if the session is the same.
func TestUnacknowledgedMessagesAreSentAgain(t *testing.T) {
	for _, expiry := range []time.Duration{0, time.Hour} {
		silent := true
		f := startFake(t, func(p *packets.ControlPacket) ([]packets.Packet, bool) {
			switch c := p.Content.(type) {
			case *packets.Connect:
				answer := connack(0, nil)
				answer[0].(*packets.Connack).SessionPresent = !c.CleanStart
				return answer, false
			case *packets.Publish:
				if !silent || c.PacketID == 1 {
					return puback(c, 0, ""), false
				}
			}
			return nil, false
		})
		c := configFor(f.address)
		c.SessionExpiry = value.Duration(expiry)
		s := newSink(t, c)
		rest := deliverFor(t, s, 3, 100*time.Millisecond) // the second attempt acknowledges nothing
		f.mu.Lock()
		silent = false
		f.mu.Unlock()
		if n, err := s.Deliver(t.Context(), sinktest.Events(rest, 4-rest)); n != 4-rest || err != nil {
			t.Fatalf("accepted %d events, %v", n, err)
		}
		var got []string
		for _, m := range f.published() {
			got = append(got, fmt.Sprintf("%d %t", m.PacketID, m.Duplicate))
		}
		want := "[1 false 2 false 3 false 4 false 5 false]"
		if expiry > 0 {
			want = "[1 false 2 false 3 false 2 true 3 true]"
		}
		if fmt.Sprint(got) != want {
			t.Errorf("session_expiry %v: messages %v, want %s", expiry, got, want)
		}
	}
}

// The connection is replaced after a change of the password, once its messages have their results.
// That can take longer than the attempt.
func TestAttemptEndsBeforeTheConnectionIsReplaced(t *testing.T) {
	f := startFake(t, publishing(nil, func(*packets.Publish) ([]packets.Packet, bool) { return nil, false }))
	password := filepath.Join(t.TempDir(), "password")
	c := configFor(f.address)
	c.User, c.Password = "sink", value.Secret{File: password}
	s := newSink(t, c)
	for _, text := range []string{"first-8vRk2", "second-8vRk2"} {
		if err := os.WriteFile(password, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		n, err := s.Deliver(ctx, sinktest.Events(1, 1))
		cancel()
		if n != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("accepted %d events, %v", n, err)
		}
	}
}

// deliverFor makes two attempts to deliver n events that do not succeed, and returns the number of
// the first event that was not accepted.
func deliverFor(t *testing.T, s sink.Sink, n int, limit time.Duration) (first int) {
	t.Helper()
	first = 1
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		m, err := s.Deliver(ctx, sinktest.Events(first, n+1-first))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("accepted %d events, %v", m, err)
		}
		first += m
	}
	return first
}
