// SPDX-License-Identifier: Apache-2.0

package receiver_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/metrics"
)

// killSocket is the descriptor of the first socket: the first of exec.Cmd's ExtraFiles.
const killSocket = 3

// userKernel provides a family on NETLINK_USERSOCK.
type userKernel struct {
	stored *os.File
	family killFamily
}

func (k userKernel) Open(_ genl.Target, bufferBytes int, batch *genl.Batch) (receiver.Socket, genl.SocketReport, error) {
	return genl.AdoptUserSocket(k.stored, k.family.group(), bufferBytes, batch)
}

func (k userKernel) Resolve(genl.Target) (genl.Registry, error) {
	return genl.Registry{Family: k.family.ids}, nil
}

// TestKillChild is the process that TestKilledReceiverJournalsEachEventOnce kills.
func TestKillChild(t *testing.T) {
	dir := os.Getenv("GENLTESTD_KILL_DIR")
	if dir == "" {
		t.Skip("runs as the child of another test")
	}
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var receivers []*receiver.Receiver
	for i, port := range strings.Fields(os.Getenv("GENLTESTD_KILL_SENDERS")) {
		sender, err := strconv.ParseUint(port, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		receivers = append(receivers, newKilled(t, i, uint32(sender), j))
	}
	fmt.Println("ready")
	var running sync.WaitGroup
	for _, r := range receivers {
		running.Go(func() {
			if err := r.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	account := ""
	for _, r := range receivers {
		account += accountOf(r)
	}
	if err := os.WriteFile(filepath.Join(dir, "account"), []byte(account), 0o600); err != nil {
		t.Fatal(err)
	}
}

// newKilled returns the receiver of a family of killFamilies.
func newKilled(t *testing.T, i int, sender uint32, j *journal.Journal) *receiver.Receiver {
	t.Helper()
	f := killFamilies[i]
	b, fresh := f.openInbox(t, os.Getenv("GENLTESTD_KILL_RUNTIME"))
	if b.OnDisk {
		t.Fatal("the inbox is not on a tmpfs")
	}
	r, err := receiver.New(receiver.Options{
		Target: f.target, Kernel: userKernel{os.NewFile(killSocket+uintptr(i), "events"), f}, Journal: j, Inbox: b, FreshInbox: fresh,
		Metrics: metrics.NewReception(prometheus.NewRegistry(), metrics.ReceptionConfig{
			Family: f.target.Family, Group: f.ids.Groups[0].Name, Refusals: []string{"x"},
		}),
		BufferBytes: 64 << 20, Sender: sender, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// accountOf returns what the metrics of a receiver show.
func accountOf(r *receiver.Receiver) string {
	lost := map[string]float64{}
	for _, reason := range []string{metrics.LostKernelBuffer, metrics.LostNotSubscribed, metrics.LostUnexplained} {
		if n := testutil.ToFloat64(r.Metrics.Lost.WithLabelValues(reason)); n != 0 {
			lost[reason] = n
		}
	}
	return fmt.Sprintf("%s: received %.0f, lost %v\n", r.Target.Family, testutil.ToFloat64(r.Metrics.Received), lost)
}
