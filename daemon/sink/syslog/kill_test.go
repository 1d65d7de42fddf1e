// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"context"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// A killed server loses the data that its kernel had acknowledged and that it had not
// read: exactly these events are missing from the accepted ones. Over a local socket,
// where only read data counts, no event is missing. The server is stopped for a while before
// it is killed, so that it loses a number of events that can be counted.
func TestKilledServerLosesOnlyUnreadEvents(t *testing.T) {
	for _, server := range servers() {
		if server.name == "udp" {
			continue // it does not acknowledge events
		}
		t.Run(server.name, func(t *testing.T) { killServer(t, server) })
	}
}

func killServer(t *testing.T, server server) {
	destination, config := server.start(t)
	s := &sinktest.Counter{Sink: newSink(config)}
	defer s.Close()
	events := sinktest.Events(1, 100_000)
	accepted := deliver(t, s, events[:1000], time.Minute)
	s.AwaitStored(t, destination)

	destination.suspend(t)
	unread := deliver(t, s, events[accepted:], 200*time.Millisecond)
	destination.stop(syscall.SIGKILL)
	destination.start(t)
	local := config.Address.SocketPath() != ""
	if held := unread > 0; held == local || accepted+unread == len(events) {
		t.Fatalf("a server that does not read has accepted %d events", unread)
	}
	from := accepted + unread
	deliver(t, s, events[from:from+1000], time.Minute)

	lost := missing(t, destination, events[:from+1000])
	t.Logf("%d events lost", len(lost))
	if len(lost) != unread || unread > 0 && (lost[0] != accepted || lost[unread-1] != from-1) {
		t.Errorf("%d events are lost, from %v on, and %d were not read, from %d on", len(lost), lost[:min(1, len(lost))], unread, accepted)
	}
}

// deliver delivers until all events are accepted or the time has passed.
func deliver(t *testing.T, s sink.Sink, events []event.Event, limit time.Duration) (accepted int) {
	t.Helper()
	for end := time.Now().Add(limit); accepted < len(events); {
		ctx, cancel := context.WithDeadline(t.Context(), end)
		n, err := s.Deliver(ctx, events[accepted:min(accepted+100, len(events))])
		cancel()
		if accepted += n; err == nil {
			continue
		}
		if time.Now().After(end) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return accepted
}

// missing returns the events that the server has not stored, once it has the last. It
// requires the stored events to be in order.
func missing(t *testing.T, destination *rsyslog, events []event.Event) (lost []int) {
	t.Helper()
	last := `{"id":"` + events[len(events)-1].ID() + `"`
	for range 6000 {
		if strings.Contains(string(destination.text(t)), last) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	stored, newest := make(map[string]bool), 0
	for line := range strings.Lines(string(destination.text(t))) {
		_, id, _ := strings.Cut(line, `{"id":"`)
		id = id[:strings.IndexByte(id+`"`, '"')]
		seq, _ := strconv.Atoi(id[strings.IndexByte(id, '-')+1:])
		if !stored[id] && seq < newest {
			t.Fatalf("event %s follows %d", id, newest)
		}
		stored[id], newest = true, max(newest, seq)
	}
	for i := range events {
		if !stored[events[i].ID()] {
			lost = append(lost, i)
		}
	}
	return lost
}
