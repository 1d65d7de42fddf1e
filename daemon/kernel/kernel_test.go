// SPDX-License-Identifier: Apache-2.0

package kernel_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/kernel"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/internal/fdstore"
)

// open opens the event socket as a new process would, with the descriptors that are stored.
func open(t *testing.T, s *fdstore.Store, stored []*os.File) (_ receiver.Socket, log string) {
	t.Helper()
	var out bytes.Buffer
	k := kernel.New(s, stored, slog.New(slog.NewTextHandler(&out, nil)))
	return openTarget(t, k, genl.Genltest), out.String()
}

func openTarget(t *testing.T, k *kernel.Kernel, target genl.Target) receiver.Socket {
	t.Helper()
	socket, _, err := k.Open(target, 1<<20, newBatch(t, target))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return socket
}

func newBatch(t *testing.T, target genl.Target) *genl.Batch {
	t.Helper()
	memory, err := unix.Mmap(-1, 0, genl.BatchBytes(target), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := genl.NewBatch(memory, target)
	if err != nil {
		t.Fatal(err)
	}
	batch.Clear()
	return batch
}

func cookie(t *testing.T, s receiver.Socket) uint64 {
	t.Helper()
	c, err := s.Cookie()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheNextProcessAdoptsTheStoredSocket(t *testing.T) {
	s := fdstore.New(t)
	first, _ := open(t, s, nil)
	if diff := cmp.Diff([]string{"forget events", "forget meter", "store events", "store meter"}, s.Calls); diff != "" {
		t.Fatalf("calls (-want +got):\n%s", diff)
	}
	s.Calls = nil
	stored := s.Files
	second, log := open(t, s, stored)
	if a, b := cookie(t, first), cookie(t, second); a != b {
		t.Errorf("the socket has the cookie %d, want %d; log: %s", b, a, log)
	}
	if len(s.Calls) > 0 {
		t.Errorf("what is stored was replaced: %q", s.Calls)
	}
	for _, f := range stored {
		if err := f.Close(); err == nil {
			t.Errorf("the stored %s is still open", f.Name())
		}
	}
}

func TestAnAdoptedSocketWithoutAMeterIsStoredAgain(t *testing.T) {
	s := fdstore.New(t)
	first, _ := open(t, s, nil)
	events, meter := s.Files[0], s.Files[1]
	meter.Close()
	s.Calls = nil
	second, _ := open(t, s, []*os.File{events})
	if cookie(t, first) != cookie(t, second) {
		t.Error("the socket was not adopted")
	}
	if diff := cmp.Diff([]string{"forget events", "forget meter", "store events", "store meter"}, s.Calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestADescriptorThatIsNotAnEventSocketIsSkipped(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd, err := unix.FcntlInt(null.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	foreign := os.NewFile(uintptr(fd), "events")
	s := fdstore.New(t)
	_, log := open(t, s, []*os.File{foreign})
	if !strings.Contains(log, "cannot use a descriptor") || len(s.Files) != 2 {
		t.Errorf("%d descriptors are stored; log: %s", len(s.Files), log)
	}
	if err := foreign.Close(); err == nil {
		t.Error("the descriptor is still open")
	}
}

// A new socket would lose the events that are queued in the stored one.
func TestAStoredSocketIsAdoptedAfterTooManyFilesWereOpen(t *testing.T) {
	s, target := fdstore.New(t), genl.Target{Family: "ethtool"}
	first := openTarget(t, kernel.New(s, nil, slog.New(slog.DiscardHandler)), target)
	stored := slices.Clone(s.Files)
	k := kernel.New(s, stored, slog.New(slog.DiscardHandler))
	failOpen(t, k, target)
	k.ForgetUnclaimed()
	if a, b := cookie(t, first), cookie(t, openTarget(t, k, target)); a != b {
		t.Errorf("the socket has the cookie %d, want %d", b, a)
	}
	for _, f := range stored {
		if err := f.Close(); err == nil {
			t.Errorf("the stored %s is still open", f.Name())
		}
	}
}

// failOpen calls Open while the process may not open more files.
func failOpen(t *testing.T, k *kernel.Kernel, target genl.Target) {
	t.Helper()
	batch := newBatch(t, target)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	_, _, err := k.Open(target, 1<<20, batch)
	if rerr := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); rerr != nil {
		t.Fatal(rerr)
	}
	if !errors.Is(err, unix.EMFILE) {
		t.Fatalf("got %v", err)
	}
}

// TestFamiliesHaveTheirOwnDescriptors: a family finds its own socket again in any
// order, and the descriptors of a family that is not configured any more are forgotten.
func TestFamiliesHaveTheirOwnDescriptors(t *testing.T) {
	s := fdstore.New(t)
	targets := []genl.Target{genl.Genltest, {Family: "ethtool"}, {Family: "nlctrl"}, {Family: "netdev"}}
	k := kernel.New(s, nil, slog.New(slog.DiscardHandler))
	cookies := map[string]uint64{}
	for _, target := range targets {
		cookies[target.Family] = cookie(t, openTarget(t, k, target))
	}
	all := []string{"events", "events.ethtool", "events.netdev", "events.nlctrl", "meter", "meter.ethtool", "meter.netdev"}
	if diff := cmp.Diff(all, s.Names()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	s.Calls = nil
	stored := slices.Clone(s.Files)
	var log bytes.Buffer
	k = kernel.New(s, stored, slog.New(slog.NewTextHandler(&log, nil)))
	for _, target := range slices.Backward(targets[:3]) {
		if c := cookie(t, openTarget(t, k, target)); c != cookies[target.Family] {
			t.Errorf("%s has the socket %d, want %d", target.Family, c, cookies[target.Family])
		}
	}
	if len(s.Calls) > 0 {
		t.Errorf("what is stored was replaced: %q", s.Calls)
	}
	k.ForgetUnclaimed()
	if diff := cmp.Diff([]string{"forget events.netdev", "forget meter.netdev"}, slices.Sorted(slices.Values(s.Calls))); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if !strings.Contains(log.String(), "events.netdev") {
		t.Errorf("the log does not contain the descriptor: %s", log.String())
	}
	for _, f := range stored {
		if err := f.Close(); err == nil {
			t.Errorf("the stored %s is still open", f.Name())
		}
	}
	k.Forget(targets[1])
	if diff := cmp.Diff([]string{"events", "events.nlctrl", "meter"}, s.Names()); diff != "" {
		t.Errorf("stored without ethtool (-want +got):\n%s", diff)
	}
}
