// SPDX-License-Identifier: Apache-2.0

package simhost

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/internal/kernelmsg"
)

const (
	// burst is the number of events that the receiver appends at once when they arrive in bursts.
	burst  = 64
	loadID = 0x6a9155caa46c7dcc
	// tick is the interval in which events of a rate are appended.
	tick = 10 * time.Millisecond
)

// Fill appends events until the journal has had n.
func (h *Host) Fill(n uint64) error {
	for have := h.Count(); have < n; have = h.Count() {
		if err := h.append(have, min(burst, n-have)); err != nil {
			return err
		}
	}
	return nil
}

// Generate appends events at a rate until the journal has had n, or ctx ends.
func (h *Host) Generate(ctx context.Context, n uint64, perSecond float64) error {
	began, first := time.Now(), h.Count()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for h.Count() < n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		due := first + uint64(time.Since(began).Seconds()*perSecond)
		if err := h.Fill(min(due, n)); err != nil {
			return err
		}
	}
	return nil
}

// append appends n events after the first have.
func (h *Host) append(have, n uint64) error {
	messages := make([][]byte, n)
	at := time.Now()
	for i := range messages {
		messages[i] = message(h.text, have+uint64(i)+1, at)
	}
	return h.journal.Append(nil, at, messages)
}

// Mark is in the text of each marked event.
const Mark = "marked"

// Marked reports whether the event with that number, which begins with 1, is marked. A test can make a
// sink refuse these.
func Marked(n uint64) bool { return n%37 == 0 }

// message returns the module's message for the event with that number.
func message(size int, seq uint64, at time.Time) []byte {
	text := fmt.Sprintf("event %d ", seq)
	if Marked(seq) {
		text += Mark + " "
	}
	text += strings.Repeat("x", max(0, size-len(text)))
	return kernelmsg.EventOf(kernelmsg.Family, kernelmsg.Text(text), kernelmsg.Seq(seq), kernelmsg.Time(uint64(at.UnixNano())),
		kernelmsg.LoadID(loadID))
}

func labels(cfg *config.Config) []event.Label {
	c := origin.Config{Labels: cfg.Event.Labels}
	return c.SortedLabels()
}
