// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/fakekernel"
	"github.com/genltestd/genltestd/internal/netdevices"
	"github.com/genltestd/genltestd/internal/poll"
)

// TestNewBufferSizeAppliesToLaterSockets: the size may be set while no socket is
// open, or while one is being opened.
func TestNewBufferSizeAppliesToLaterSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		set := func(bytes int) {
			t.Helper()
			if err := f.SetBuffer(bytes); err != nil {
				t.Error(err)
			}
		}
		want := func(bytes int) {
			t.Helper()
			if got := f.kernel.Socket().BufferBytes(); got != bytes {
				t.Errorf("%d bytes were requested of the socket, want %d", got, bytes)
			}
			if got := testutil.ToFloat64(f.m.ReceiveBuffer); got != 2*float64(bytes) {
				t.Errorf("the metric is %v bytes", got)
			}
		}
		fail := func(err error) {
			f.kernel.Set(func() { f.kernel.OpenErr = err })
			f.kernel.Socket().Fail(unix.EBADF)
			time.Sleep(time.Second)
		}
		reopen := func() {
			f.kernel.Set(func() { f.kernel.OpenErr = nil })
			time.Sleep(time.Minute)
		}
		want(1 << 20)
		set(2 << 20)
		want(2 << 20)
		fail(unix.EMFILE)
		reopen()
		want(2 << 20)
		fail(unix.EMFILE)
		set(3 << 20)
		reopen()
		want(3 << 20)
		f.kernel.Set(func() {
			f.kernel.Opening = func() {
				f.kernel.Opening = nil
				set(4 << 20)
			}
		})
		fail(nil)
		want(4 << 20)
		f.stop()
	})
}

func TestFailedSetBufferKeepsOldSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		f.kernel.Socket().BufferErr = unix.EBADF
		if err := f.SetBuffer(2 << 20); !errors.Is(err, unix.EBADF) {
			t.Errorf("got %v", err)
		}
		f.kernel.Socket().Fail(unix.EBADF)
		time.Sleep(time.Minute)
		if got := f.kernel.Socket().BufferBytes(); got != 1<<20 {
			t.Errorf("%d bytes were requested of the next socket", got)
		}
		f.stop()
	})
}

func TestSmallerBufferThanRequestedIsReported(t *testing.T) {
	var log bytes.Buffer
	k := newKernel(first)
	o := options(k, &recorder{}, newInbox(t))
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	limited := func(err error, want float64) {
		t.Helper()
		k.Socket().Limited = err
		if err := r.SetBuffer(512 << 20); err != nil {
			t.Error(err)
		}
		if got := testutil.ToFloat64(o.Metrics.BufferLimited); got != want {
			t.Errorf("the metric of a limited buffer is %v, want %v", got, want)
		}
	}
	limited(nil, 0)
	limited(unix.EPERM, 1)
	for _, part := range []string{"CAP_NET_ADMIN", "asked_bytes=1073741824", "granted_bytes=1024", "operation not permitted"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("no %q in %q", part, log.String())
		}
	}
	if got := testutil.ToFloat64(o.Metrics.ReceiveBuffer); got != 1024 {
		t.Errorf("the metric is %v bytes", got)
	}
	limited(nil, 0)
}

const bufferGroup = 11

// openKernel provides a family on NETLINK_USERSOCK, on this machine's own kernel.
type openKernel struct{ opened chan *genl.EventSocket }

func (k openKernel) Open(_ genl.Target, bufferBytes int, batch *genl.Batch) (Socket, genl.SocketReport, error) {
	s, report, err := genl.OpenUserSocket(bufferGroup, bufferBytes, batch)
	if err != nil {
		return nil, report, err
	}
	k.opened <- s
	return s, report, nil
}

func (openKernel) Resolve(genl.Target) (genl.Registry, error) {
	return genl.Registry{Family: fakekernel.GenltestIDs(34, bufferGroup)}, nil
}

// TestBufferChangesUnderLoad: the metric is the kernel's size, and each event is
// received or counted as lost with any size of the buffer.
func TestBufferChangesUnderLoad(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("joining a group of NETLINK_USERSOCK needs root")
	}
	netdevices.EnterNamespace(t) // in which no other process multicasts to the group
	sender, err := genl.NewUserSender(bufferGroup)
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	k := openKernel{make(chan *genl.EventSocket, 1)}
	o := options(nil, discardingJournal{}, newInbox(t))
	o.Kernel, o.Sender = k, sender.Port()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	socket := <-k.opened
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- r.Run(ctx) }()
	total := uint64(50_000)
	if os.Getenv("GENLTESTD_SOAK") != "" {
		total *= 20
	}
	sent := make(chan error, 1)
	go func() { sent <- sendNumbered(sender, total) }()
	for i := 0; ; i++ {
		if err := r.SetBuffer([]int{4 << 10, 1 << 20, 16 << 20}[i%3]); err != nil {
			t.Fatal(err)
		}
		if got, want := testutil.ToFloat64(o.Metrics.ReceiveBuffer), receiveBuffer(t, socket); got != float64(want) {
			t.Fatalf("the metric is %v bytes, the kernel %d", got, want)
		}
		if len(sent) > 0 {
			break
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	received, lost := 0.0, 0.0
	poll.Until(t, "every event is received or lost", func() bool {
		if err := r.CountDrops(); err != nil {
			t.Fatal(err)
		}
		received = testutil.ToFloat64(o.Metrics.Received.WithLabelValues(genl.GroupName))
		lost = testutil.ToFloat64(o.Metrics.Lost.WithLabelValues("kernel_buffer"))
		return received+lost >= float64(total)
	})
	if received+lost != float64(total) || received == 0 {
		t.Errorf("received %v, lost %v of %d", received, lost, total)
	}
	t.Logf("received %v, lost %v", received, lost)
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// sendNumbered multicasts in bursts that overflow the smallest buffer.
func sendNumbered(s *genl.UserSender, total uint64) error {
	for seq := uint64(1); seq <= total; seq++ {
		if err := s.Send(numbered(34, 1, seq).Data); err != nil {
			return err
		}
		if seq%100 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

func receiveBuffer(t *testing.T, s *genl.EventSocket) (bytes int) {
	t.Helper()
	raw, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	cerr := raw.Control(func(fd uintptr) { bytes, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF) })
	if err := errors.Join(cerr, err); err != nil {
		t.Fatal(err)
	}
	return bytes
}
