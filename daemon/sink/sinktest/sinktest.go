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

// A Place is the other side of a sink: the real one, with access for the test.
type Place interface {
	// Taken lists the events that the place has durably accepted, in the order of arrival.
	Taken(t *testing.T) []Taken
	// Break makes the place refuse or fail until Mend. Data in transit may or may not
	// arrive.
	Break(t *testing.T)
	Mend(t *testing.T)
}

// A Hanger is a Place that can also hang: it neither accepts nor refuses data until Mend.
type Hanger interface {
	Place
	Hang(t *testing.T)
}

// A Taken is one event as it has arrived.
type Taken struct {
	ID      string
	Message string // exact bytes
}

// A Kind describes a kind of sink to the tests.
type Kind struct {
	// New returns a sink and the place that it leads to, which is new and empty; t.Cleanup
	// frees both. The encoder, if the sink has one, is event.JSON.
	New func(t *testing.T) (sink.Sink, Place)
	// Secrets must not appear in any error.
	Secrets []string
	// Hostile is the number of hostile events that are sent; 0 means 100,000.
	Hostile int
	// Altered returns a text as it arrives; nil means unchanged.
	Altered func(message []byte) string
	// Unordered means that the place does not keep the order of events.
	Unordered bool
	// Once means that the place never has an event twice, even after a failure.
	Once bool
}

// Run tests a kind.
func Run(t *testing.T, k Kind) {
	t.Run("accepts everything in order", k.acceptsEverything)
	t.Run("acknowledges only what was taken", k.acknowledgesOnlyWhatWasTaken)
	t.Run("honours the context", k.honoursTheContext)
	t.Run("does not wait for a place that hangs", k.doesNotWaitForAPlaceThatHangs)
	t.Run("close twice", k.closeTwice)
	t.Run("frees what it holds", k.freesWhatItHolds)
	t.Run("survives hostile events", k.survivesHostileEvents)
}

// Events returns n events with texts of several lengths; the number of the first is first.
func Events(first, n int) []event.Event {
	list := make([]event.Event, n)
	for i := range list {
		list[i] = an(first+i, []byte(fmt.Sprintf("event %d %s", first+i, strings.Repeat("x", (first+i)%100))))
	}
	return list
}

func an(n int, message []byte) event.Event {
	at, seq := time.Date(2026, 1, 2, 3, 4, 5, n, time.UTC), uint64(n)
	return event.Event{
		JournalID: "6a9155caa46c7dcc", Seq: seq, Time: at, KernelTime: at.Add(-time.Millisecond), KernelSeq: seq, LoadID: 7,
		Host: "web-1", Family: "genltest", Group: "mcgrp", Message: message,
	}
}

// ParseJSON parses a line or body that event.JSON has written.
func ParseJSON(t *testing.T, text []byte) Taken {
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
	return Taken{ID: e.ID, Message: e.Message}
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
		t.Fatalf("took %d of %d events and returned the error %v", accepted, given, err)
	}
	if err == nil {
		return
	}
	for _, secret := range k.Secrets {
		if strings.Contains(err.Error(), secret) || strings.Contains(fmt.Sprintf("%+v %#v", err, err), secret) {
			t.Fatalf("the error has a secret: %v", err)
		}
	}
	if !event.IsVisible([]byte(strings.ReplaceAll(err.Error(), "\n", ""))) {
		t.Errorf("the error could act on a terminal: %q", err)
	}
}
