// SPDX-License-Identifier: Apache-2.0

// Package sinktest tests every kind of sink against the contract in package sink.
package sinktest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// A Destination is the other side of a sink: the real one, with access for the test.
type Destination interface {
	// Stored lists the events that the destination has durably accepted, in the order of arrival.
	Stored(t *testing.T) []StoredEvent
	// Break makes the destination refuse or fail until Repair. Data in transit may or may not
	// arrive.
	Break(t *testing.T)
	Repair(t *testing.T)
}

// A Hanger is a Destination that can also hang: it neither accepts nor refuses data until Repair.
type Hanger interface {
	Destination
	Hang(t *testing.T)
}

// A StoredEvent is one event as it has arrived.
type StoredEvent struct {
	ID      string
	Message string // exact bytes
}

// A Kind describes a kind of sink to the tests.
type Kind struct {
	// New returns a sink and the destination that it leads to, which is new and empty; t.Cleanup
	// frees both. The encoder, if the sink has one, is event.JSON.
	New func(t *testing.T) (sink.Sink, Destination)
	// Secrets must not appear in any error.
	Secrets []string
	// Hostile is the number of hostile events that are sent; 0 means 100,000.
	Hostile int
	// Altered returns a text as it arrives; nil means unchanged.
	Altered func(message []byte) string
	// Unordered means that the destination does not keep the order of events.
	Unordered bool
	// Once means that the destination never has an event twice, even after a failure.
	Once bool
}

// Run tests a kind.
func Run(t *testing.T, k Kind) {
	t.Run("accepts everything in order", k.acceptsAllEventsInOrder)
	t.Run("acknowledges only stored events", k.acknowledgesOnlyStoredEvents)
	t.Run("delivers tests", k.deliversTests)
	t.Run("returns when the context ends", k.returnsWhenTheContextEnds)
	t.Run("returns when the destination hangs", k.returnsWhenTheDestinationHangs)
	t.Run("close can be called twice", k.closeTwice)
	t.Run("releases resources", k.releasesResources)
	t.Run("survives hostile events", k.survivesHostileEvents)
}

// Events returns n events with texts of several lengths; the number of the first is first.
func Events(first, n int) []event.Event {
	list := make([]event.Event, n)
	for i := range list {
		list[i] = newEvent(first+i, []byte(fmt.Sprintf("event %d %s", first+i, strings.Repeat("x", (first+i)%100))))
	}
	return list
}

func newEvent(n int, message []byte) event.Event {
	at, seq := time.Date(2026, 1, 2, 3, 4, 5, n, time.UTC), uint64(n)
	return event.Event{
		JournalID: "6a9155caa46c7dcc", Seq: seq, Time: at, KernelTime: at.Add(-time.Millisecond), KernelSeq: seq, LoadID: 7,
		Host: "web-1", Family: "genltest", Group: "mcgrp", Message: message,
	}
}

// ParseJSON parses a line or body that event.JSON has written.
func ParseJSON(t *testing.T, text []byte) StoredEvent {
	t.Helper()
	var e struct {
		ID      string `json:"id"`
		Message string `json:"message"`
		Base64  string `json:"message_base64"`
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatalf("not an event in JSON: %v: %.200q", err, text)
	}
	if e.Base64 != "" {
		message, err := base64.StdEncoding.DecodeString(e.Base64)
		if err != nil {
			t.Fatal(err)
		}
		e.Message = string(message)
	}
	return StoredEvent{ID: e.ID, Message: e.Message}
}

// deliver delivers all events as delivery does: events that were not accepted are
// delivered again. It fails the test after too many attempts.
func (k Kind) deliver(t *testing.T, s sink.Sink, events []event.Event) {
	t.Helper()
	for attempts := 0; len(events) > 0; attempts++ {
		n, err := k.attempt(t, s, events)
		events = events[n:]
		if len(events) == 0 {
			return
		}
		if attempts == 200 {
			t.Fatalf("%d events are left after %d attempts: %v", len(events), attempts, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// attempt makes one attempt and checks its results against the contract.
func (k Kind) attempt(t *testing.T, s sink.Sink, events []event.Event) (accepted int, err error) {
	t.Helper()
	return k.attemptWithin(t, 20*time.Second, s, events)
}

func (k Kind) attemptWithin(t *testing.T, limit time.Duration, s sink.Sink, events []event.Event) (accepted int, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	n, err := call(ctx, t, s, events)
	k.checkResult(t, n, len(events), err)
	return n, err
}

func (k Kind) checkResult(t *testing.T, accepted, given int, err error) {
	t.Helper()
	if accepted < 0 || accepted > given || (err == nil) != (accepted == given) {
		t.Fatalf("accepted %d of %d events and returned the error %v", accepted, given, err)
	}
	if err == nil {
		return
	}
	for _, secret := range k.Secrets {
		if strings.Contains(err.Error(), secret) || strings.Contains(fmt.Sprintf("%+v %#v", err, err), secret) {
			t.Fatalf("the error contains a secret: %v", err)
		}
	}
	if !event.IsVisible([]byte(strings.ReplaceAll(err.Error(), "\n", ""))) {
		t.Errorf("the error could act on a terminal: %q", err)
	}
}
