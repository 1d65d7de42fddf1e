// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/genltestd/genltestd/daemon/journal"
)

// A source appends events to the journal, as the receiver does.
type source struct {
	journal *journal.Journal
	text    int    // bytes
	seq     uint64 // of the last event
	took    time.Duration
}

// burst is the number of events that the receiver appends at once when they arrive in
// bursts.
const burst = 64

// fill appends n events.
func (s *source) fill(n int) error {
	for ; n > 0; n -= burst {
		if err := s.append(min(n, burst)); err != nil {
			return err
		}
	}
	return nil
}

// feed appends n events one by one, each at its time, and seals the journal.
func (s *source) feed(n, rate int) error {
	defer s.journal.Seal()
	began := time.Now()
	for i := range n {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		if err := s.append(1); err != nil {
			return err
		}
	}
	s.took = time.Since(began)
	return nil
}

func (s *source) append(n int) error {
	messages := make([][]byte, n)
	at := time.Now()
	for i := range messages {
		s.seq++
		messages[i] = message(s.text, s.seq, uint64(at.UnixNano()))
	}
	return s.journal.Append(nil, at, messages)
}
