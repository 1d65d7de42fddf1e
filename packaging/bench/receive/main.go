// SPDX-License-Identifier: Apache-2.0

// Command receive is the daemon's receive path as a program of the benchmark: the real
// socket, inbox, receiver and journal, over NETLINK_USERSOCK. It communicates with the
// driver like ../c/bench.h.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/inbox"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/metrics"
)

// c/bench.h has the same values.
const (
	family   = 28
	group    = 29
	sender   = 0x6e6c6264
	endBytes = unix.SizeofNlMsghdr
)

const maxJournalBytes = 1 << 30 // as in the default configuration

func main() {
	flag.Parse()
	var buffer int
	if _, err := fmt.Sscan(flag.Arg(0), &buffer); err != nil {
		fail(fmt.Errorf("receive buffer %q: %w", flag.Arg(0), err))
	}
	if err := run(flag.Arg(1), buffer); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "receive:", err)
	os.Exit(1)
}

func run(dir string, buffer int) (err error) {
	var to sink = &nowhere{}
	if dir != "" {
		j, err := journal.Open(dir, journal.Options{MaxBytes: maxJournalBytes})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, j.Close()) }()
		to = counted{j}
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	r, err := newReceiver(to, buffer, stop)
	if err != nil {
		return err
	}
	return measure(to, func() error { return r.Run(ctx) })
}

// measure receives when the driver requests it, until all received events are durable,
// and prints the result.
func measure(to sink, receive func() error) error {
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	since, err := cpuTime()
	if err != nil {
		return err
	}
	if err := errors.Join(receive(), to.Sync()); err != nil {
		return err
	}
	until, err := cpuTime()
	if err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	fmt.Printf("received %d cpu %d allocations %d\n", to.Count(), until-since, after.Mallocs-before.Mallocs)
	return nil
}

func cpuTime() (ns int64, err error) {
	var t unix.Timespec
	err = unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t)
	return t.Nano(), err
}

// newReceiver creates the receiver as the daemon does. It is the only function that
// depends on that.
func newReceiver(to receiver.Journal, buffer int, stop func()) (*receiver.Receiver, error) {
	// The file is removed below: no later process uses the inbox of a benchmark.
	path := filepath.Join("/dev/shm", fmt.Sprintf("genltestd-bench-%d", os.Getpid()))
	inbox, fresh, err := inbox.Open(path, genl.BatchBytes(genl.Genltest))
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil {
		return nil, err
	}
	var reasons []string
	for _, v := range genl.Refusals() {
		reasons = append(reasons, v.String())
	}
	m := metrics.NewReception(prometheus.NewRegistry(), metrics.ReceptionConfig{
		Family: genl.FamilyName, Group: genl.GroupName, Refusals: reasons,
	})
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	return receiver.New(receiver.Options{
		Target: genl.Genltest, Kernel: kernel{stop}, Journal: to,
		Inbox: inbox, FreshInbox: fresh, Metrics: m, BufferBytes: buffer, Sender: sender, Log: log,
	})
}

// kernel has one family, which is always registered, and sockets of NETLINK_USERSOCK.
type kernel struct{ stop func() }

func (kernel) Resolve(genl.Target) (genl.Registry, error) {
	return genl.Registry{Family: genl.FamilyIDs{ID: family, Groups: []genl.Group{{Name: genl.GroupName, ID: group}}}}, nil
}

func (k kernel) Open(_ genl.Target, bufferBytes int, batch *genl.Batch) (receiver.Socket, genl.SocketReport, error) {
	s, report, err := genl.OpenUserSocket(group, bufferBytes, batch)
	if err == nil && report.Limited != nil {
		err = errors.Join(fmt.Errorf("receive buffer of %d bytes: %w", report.BufferBytes, report.Limited), s.Close())
	}
	return socket{s, k.stop}, report, err
}

// socket is the daemon's socket. It stops the receiver at the end.
type socket struct {
	*genl.EventSocket
	stop func()
}

func (s socket) Receive(handle func([]genl.Message) error) error {
	return s.EventSocket.Receive(func(messages []genl.Message) error {
		if n := len(messages); len(messages[n-1].Data) == endBytes {
			s.stop()
		}
		return handle(messages)
	})
}

// A sink is the destination of received events.
type sink interface {
	receiver.Journal
	Count() uint64
	Sync() error
}

// A counted journal returns how many records were appended.
type counted struct{ *journal.Journal }

func (c counted) Count() uint64 { return c.Stats().Count }

// nowhere is a journal that discards events.
type nowhere struct{ count uint64 }

func (n *nowhere) Append(_ *atomic.Uint64, _ time.Time, records [][]byte) error {
	n.count += uint64(len(records))
	return nil
}

func (n *nowhere) Recovered() uint64            { return 0 }
func (n *nowhere) Tail(func([]byte) bool) error { return nil }
func (n *nowhere) Count() uint64                { return n.count }
func (n *nowhere) Sync() error                  { return nil }
