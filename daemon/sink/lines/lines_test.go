// SPDX-License-Identifier: Apache-2.0

package lines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/event"
)

// A limitedWriter accepts at most limit bytes of each write.
type limitedWriter struct {
	bytes.Buffer
	limit int
}

var errFull = errors.New("full")

func (s *limitedWriter) Write(b []byte) (int, error) {
	if s.limit >= len(b) {
		return s.Buffer.Write(b)
	}
	n, _ := s.Buffer.Write(b[:s.limit])
	return n, errFull
}

func events(n int) []event.Event {
	list := make([]event.Event, n)
	for i := range list {
		list[i] = event.Event{JournalID: "j", Seq: uint64(i + 1), Message: []byte(strings.Repeat("x", i%50))}
	}
	return list
}

func TestIncompleteLinesAreCompletedAndNotMixed(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		w := NewWriter(event.JSON{})
		out := &limitedWriter{}
		for left := events(200); len(left) > 0; {
			out.limit = random.IntN(2000)
			batch := left[:min(len(left), 1+random.IntN(20))]
			n, err := w.Write(out, batch)
			if (err == nil) != (n == len(batch)) {
				t.Fatalf("seed %d: accepted %d of %d with error %v", seed, n, len(batch), err)
			}
			left = left[n:]
		}
		checkLines(t, out.String(), 200)
	}
}

// checkLines requires events 1 to n, each on a line of its own.
func checkLines(t *testing.T, text string, n int) {
	t.Helper()
	got := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(got) != n {
		t.Fatalf("%d lines, want %d", len(got), n)
	}
	for i, line := range got {
		var e struct{ ID string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.ID != fmt.Sprintf("j-%d", i+1) {
			t.Fatalf("line %d: id %q, %v: %q", i, e.ID, err, line)
		}
	}
}

func TestResetRestartsTheLine(t *testing.T) {
	w := NewWriter(event.JSON{})
	list := events(1)
	if n, err := w.Write(&limitedWriter{limit: 10}, list); n != 0 || !errors.Is(err, errFull) {
		t.Fatal(n, err)
	}
	w.Reset()
	out := &limitedWriter{limit: 1 << 20}
	if n, err := w.Write(out, list); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	checkLines(t, out.String(), 1)
}

// Delivery has dropped the event, by age or by an operator, when half of it was written.
func TestIncompleteLineOfADroppedEventIsTerminated(t *testing.T) {
	w := NewWriter(event.JSON{})
	list := events(2)
	out := &limitedWriter{limit: 10}
	w.Write(out, list) // cuts the first line
	out.limit = 0
	if n, err := w.Write(out, list[1:]); n != 0 || !errors.Is(err, errFull) {
		t.Errorf("accepted %d, %v", n, err)
	}
	out.limit = 1 << 20
	if n, err := w.Write(out, list[1:]); n != 1 || err != nil {
		t.Errorf("accepted %d, %v", n, err)
	}
	if got := out.String(); !strings.HasPrefix(got, "{\"id\":\"j-1\n{\"id\":\"j-2\"") {
		t.Errorf("the stream has %q", got)
	}
}

// shortWriter violates the contract of io.Writer, as some streams do.
type shortWriter struct{}

func (shortWriter) Write(b []byte) (int, error) { return len(b) / 2, nil }

func TestShortWriteIsAnError(t *testing.T) {
	w := NewWriter(event.JSON{})
	if n, err := w.Write(shortWriter{}, events(4)); !errors.Is(err, io.ErrShortWrite) || n == 4 {
		t.Errorf("accepted %d, %v", n, err)
	}
}
