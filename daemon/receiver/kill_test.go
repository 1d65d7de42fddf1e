// SPDX-License-Identifier: Apache-2.0

package receiver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/inbox"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/verify"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/internal/fakekernel"
	"github.com/genltestd/genltestd/internal/kernelmsg"
	"github.com/genltestd/genltestd/internal/netdevices"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/tmpfs"
	"github.com/genltestd/genltestd/metrics"
)

// A process with the daemon's receive path and journal is killed and restarted
// repeatedly. This process multicasts numbered events over NETLINK_USERSOCK and keeps
// the socket open, as systemd does. The inbox is on a tmpfs, as in /run: on a disk, the
// kernel may lose the message that it copies during the kill; see inbox.Inbox.

const (
	killGroup  = 7
	killFamily = 40
	killLoad   = 0x1122334455667788
	killSocket = 3 // the first of exec.Cmd's ExtraFiles
)

func TestKilledReceiverJournalsEachEventOnce(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("joining a group of NETLINK_USERSOCK needs root")
	}
	netdevices.EnterNamespace(t) // in which no other process multicasts to the group
	kills, events := 100, uint64(50_000)
	if os.Getenv("GENLTESTD_SOAK") != "" {
		kills, events = 1000, 500_000
	}
	dir, shared := t.TempDir(), tmpfs.Shared(t)
	stored := killTarget(t)
	sender, err := genl.NewUserSender(killGroup)
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	run := func(ready io.Writer) *exec.Cmd {
		child := exec.Command("/proc/self/exe", "-test.run", "^TestKillChild$")
		child.Env = append(os.Environ(), "GENLTESTD_KILL_DIR="+dir, "GENLTESTD_KILL_RUNTIME="+shared,
			"GENLTESTD_KILL_SENDER="+strconv.Itoa(int(sender.Port())))
		child.ExtraFiles = []*os.File{stored}
		child.Stdout, child.Stderr = ready, os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		return child
	}
	var done atomic.Bool
	sent := make(chan uint64)
	go func() { sent <- send(t, sender, &done, events) }()

	before := 0                   // kills before the process received anything
	most := 60 * time.Millisecond // maximum life of a process; longer on a slow machine
	for i := range kills {
		last := generation(t, shared)
		child := run(nil)
		time.Sleep(time.Duration(rand.Int64N(int64(most))))
		if i == kills-1 {
			done.Store(true)
		}
		child.Process.Kill() // Wait follows
		child.Wait()         // killed
		if generation(t, shared) == last {
			before++
			most += most / 10
		}
	}
	if kills-before < kills/10 {
		t.Errorf("only %d of %d kills hit a process that was receiving", kills-before, kills)
	}
	total := <-sent
	out, ready, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	child := run(ready)
	ready.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the last process wrote %q, %v", line, err)
	}
	waitForDrain(t, stored)
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}

	next := uint64(1)
	_, err = verify.Dump(filepath.Join(dir, "journal"), func(_ string, r segment.Record) error {
		fields, err := genl.Decode(r.Data)
		if err != nil || fields.KernelSeq != next {
			return fmt.Errorf("record %d is event %d, %w; want event %d", r.Seq, fields.KernelSeq, err, next)
		}
		next++
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if next != total+1 {
		t.Errorf("%d events in the journal, %d sent", next-1, total)
	}
	account, err := os.ReadFile(filepath.Join(dir, "account"))
	if want := fmt.Sprintf("received %d, lost map[]", total); err != nil || string(account) != want {
		t.Errorf("account %q, %v; want %q", account, err, want)
	}
	t.Logf("%d events, %d kills, %d of them before the process received", total, kills, before)
}

// killTarget opens the socket that the children receive from.
func killTarget(t *testing.T) *os.File {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_USERSOCK)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "events")
	t.Cleanup(func() { f.Close() })
	err = errors.Join(unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_NO_ENOBUFS, 1),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, killGroup))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// send multicasts at least the given number of events, until done is true. It returns
// the number of events.
func send(t *testing.T, s *genl.UserSender, done *atomic.Bool, least uint64) (seq uint64) {
	for !done.Load() || seq < least {
		for range 100 {
			seq++
			if err := s.Send(killEvent(seq)); err != nil {
				t.Errorf("event %d: %v", seq, err)
				return seq
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return seq
}

func killEvent(seq uint64) []byte {
	return kernelmsg.EventOf(killFamily, kernelmsg.Text("hi!"), kernelmsg.Seq(seq), kernelmsg.LoadID(killLoad))
}

// generation returns how many batches the children have received.
func generation(t *testing.T, dir string) uint64 {
	t.Helper()
	inbox, _, err := inbox.Open(filepath.Join(dir, "inbox"), genl.BatchBytes(genl.Genltest))
	if err != nil {
		t.Fatal(err)
	}
	defer inbox.Close()
	return inbox.Generation()
}

// waitForDrain waits until nothing is queued in the socket.
func waitForDrain(t *testing.T, f *os.File) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the queue is empty", func() (empty bool) {
		err := raw.Control(func(fd uintptr) {
			_, _, err := unix.Recvfrom(int(fd), nil, unix.MSG_PEEK|unix.MSG_DONTWAIT|unix.MSG_TRUNC)
			empty = errors.Is(err, unix.EAGAIN)
		})
		if err != nil {
			t.Fatal(err)
		}
		return empty
	})
}

// userKernel provides a family on NETLINK_USERSOCK.
type userKernel struct{ stored *os.File }

func (k userKernel) Open(_ genl.Target, bufferBytes int, batch *genl.Batch) (receiver.Socket, genl.SocketReport, error) {
	return genl.AdoptUserSocket(k.stored, killGroup, bufferBytes, batch)
}

func (userKernel) Resolve(genl.Target) (genl.Registry, error) {
	return genl.Registry{Family: fakekernel.GenltestIDs(killFamily, killGroup)}, nil
}

// TestKillChild is the process that TestKilledReceiverJournalsEachEventOnce
// kills.
func TestKillChild(t *testing.T) {
	dir := os.Getenv("GENLTESTD_KILL_DIR")
	if dir == "" {
		t.Skip("runs as the child of another test")
	}
	sender, err := strconv.ParseUint(os.Getenv("GENLTESTD_KILL_SENDER"), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	inbox, fresh, err := inbox.Open(filepath.Join(os.Getenv("GENLTESTD_KILL_RUNTIME"), "inbox"), genl.BatchBytes(genl.Genltest))
	if err != nil {
		t.Fatal(err)
	}
	if inbox.OnDisk {
		t.Fatal("the inbox is not on a tmpfs")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	m := metrics.NewReception(prometheus.NewRegistry(), metrics.ReceptionConfig{Family: "genltest", Group: "mcgrp", Refusals: []string{"x"}})
	r, err := receiver.New(receiver.Options{
		Target: genl.Genltest, Kernel: userKernel{os.NewFile(killSocket, "events")}, Journal: j, Inbox: inbox, FreshInbox: fresh,
		Metrics: m, BufferBytes: 64 << 20, Sender: uint32(sender), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("ready")
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	lost := map[string]float64{}
	for _, reason := range []string{metrics.LostKernelBuffer, metrics.LostNotSubscribed, metrics.LostUnexplained} {
		if n := testutil.ToFloat64(m.Lost.WithLabelValues(reason)); n != 0 {
			lost[reason] = n
		}
	}
	account := fmt.Sprintf("received %.0f, lost %v", testutil.ToFloat64(m.Received.WithLabelValues(genl.GroupName)), lost)
	if err := os.WriteFile(filepath.Join(dir, "account"), []byte(account), 0o600); err != nil {
		t.Fatal(err)
	}
}
