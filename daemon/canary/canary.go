// SPDX-License-Identifier: Apache-2.0

// Package canary measures the latency of an event from the kernel to each sink. It creates the
// text of the event, which an operator writes to the module. The receiver recognizes the event, and
// the workers report when they reach it. No sink receives it.
package canary

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A Receiver is the part of a *reception.Set that a Tracker uses.
type Receiver interface {
	// ExpectCanary makes the next event with this text a canary.
	ExpectCanary(text string) error
	// ReceivedCanary reports whether the event with this text was received.
	ReceivedCanary(text string) bool
}

// A Tracker knows the last canary. Its methods are safe for concurrent use. The lock of no other
// part may be held during Request and Last.
type Tracker struct {
	receiver Receiver

	requesting sync.Mutex // held during Request

	mu        sync.Mutex // guards the fields below
	text      string     // of the last canary; empty before the first one
	requested time.Time
	sinks     []*sink // that existed at the request, in their order
}

// A sink is the progress of one sink.
type sink struct {
	name    string
	since   time.Time // since when the sink has not reached a canary; zero if it has reached the last one
	latency time.Duration
}

// New returns a Tracker without a canary.
func New(r Receiver) *Tracker { return &Tracker{receiver: r} }

// Request begins a canary for the sinks with these names. Other processes cannot guess the text that it
// returns, so other events cannot become canaries.
func (t *Tracker) Request(names []string) (text string, err error) {
	t.requesting.Lock()
	defer t.requesting.Unlock()
	token := make([]byte, 16)
	if _, err := rand.Read(token); err != nil {
		return "", fmt.Errorf("create the text: %w", err)
	}
	text = "genltestd canary " + hex.EncodeToString(token)
	if err := t.receiver.ExpectCanary(text); err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.sinks
	t.text, t.requested, t.sinks = text, time.Now(), nil
	for _, name := range names {
		s := &sink{name: name, since: t.requested}
		if i := indexOf(before, name); i >= 0 && !before[i].since.IsZero() {
			s.since = before[i].since
		}
		t.sinks = append(t.sinks, s)
	}
	return text, nil
}

func indexOf(sinks []*sink, name string) int {
	return slices.IndexFunc(sinks, func(s *sink) bool { return s.name == name })
}

// Reached records that a sink has reached the canary with this text, the latency after its
// trigger. It does not block.
func (t *Tracker) Reached(name, text string, latency time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := indexOf(t.sinks, name)
	switch {
	case i < 0:
	case text == t.text:
		t.sinks[i].since, t.sinks[i].latency = time.Time{}, latency
	case !t.sinks[i].since.IsZero(): // it waits for a later canary
		t.sinks[i].since = time.Now().Add(-latency)
	}
}

// Forget removes a sink.
func (t *Tracker) Forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sinks = slices.DeleteFunc(t.sinks, func(s *sink) bool { return s.name == name })
}

// A State is the progress of the last canary.
type State struct {
	Requested time.Time // zero before the first canary
	Received  bool
	Sinks     []Sink // that existed at the request, in their order
}

// A Sink is the progress of one sink.
type Sink struct {
	Name    string
	Reached bool
	// Latency is the time from the trigger until the sink reached the canary. If it has not, it
	// is the time since the request, or since that of an earlier canary.
	Latency time.Duration
}

// Last returns the progress of the last canary.
func (t *Tracker) Last() State {
	t.mu.Lock()
	text, state := t.text, State{Requested: t.requested}
	for _, s := range t.sinks {
		shown := Sink{s.name, s.since.IsZero(), s.latency}
		if !shown.Reached {
			shown.Latency = time.Since(s.since)
		}
		state.Sinks = append(state.Sinks, shown)
	}
	t.mu.Unlock()
	state.Received = text != "" && t.receiver.ReceivedCanary(text)
	return state
}
