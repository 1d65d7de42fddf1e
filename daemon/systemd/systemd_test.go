// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/notifysocket"
)

// manager returns the socket of a service manager, which the environment names.
func manager(t *testing.T) *notifysocket.Socket {
	t.Helper()
	s := notifysocket.Listen(t)
	t.Setenv("NOTIFY_SOCKET", s.Path)
	return s
}

func TestNotifications(t *testing.T) {
	c := manager(t)
	n := NewNotifier(slog.New(slog.DiscardHandler))
	n.Ready()
	n.Status("%d events", 7)
	n.Stopping()
	for _, want := range []string{"READY=1", "STATUS=7 events", "STOPPING=1"} {
		if got := c.Receive(t); got != want {
			t.Errorf("notification %q, want %q", got, want)
		}
	}
}

// TestATimeoutIsExtendedUntilItIsOverOrTooLong checks that a process that hangs is killed
// eventually.
func TestATimeoutIsExtendedUntilItIsOverOrTooLong(t *testing.T) {
	c := manager(t)
	n := NewNotifier(slog.New(slog.DiscardHandler))
	extensions := func(most, over time.Duration) (count int) {
		synctest.Test(t, func(*testing.T) {
			stop := n.Extend(most)
			time.Sleep(over)
			stop()
			time.Sleep(time.Hour)
		})
		n.Ready()
		for {
			switch got := c.Receive(t); got {
			case "EXTEND_TIMEOUT_USEC=15000000":
				count++
			case "READY=1":
				return count
			default:
				t.Fatalf("notification %q", got)
			}
		}
	}
	if n := extensions(time.Hour, 12*time.Second); n != 3 {
		t.Errorf("%d extensions in 12 seconds", n)
	}
	if n := extensions(23*time.Second, time.Hour); n != 5 {
		t.Errorf("%d extensions with a limit of 23 seconds", n)
	}
}

// TestNotificationsNeedNoNewDescriptor checks that a process without free descriptors is not
// killed by the watchdog.
func TestNotificationsNeedNoNewDescriptor(t *testing.T) {
	c := manager(t)
	n := NewNotifier(slog.New(slog.DiscardHandler))
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	defer exhaustDescriptors(t)()
	if _, err := os.Open("/dev/null"); !errors.Is(err, unix.EMFILE) {
		t.Fatalf("descriptors are left: %v", err)
	}
	n.send("WATCHDOG=1")
	if err := n.Store("events", f); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"WATCHDOG=1", "FDSTORE=1\nFDNAME=events\nFDPOLL=0"} {
		if got := c.Receive(t); got != want {
			t.Errorf("notification %q, want %q", got, want)
		}
	}
}

// exhaustDescriptors prevents the process from opening files until restore is called.
func exhaustDescriptors(t *testing.T) (restore func()) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}
}

func TestWatchdogIsNotifiedOnlyWhileHealthy(t *testing.T) {
	c := manager(t)
	t.Setenv("WATCHDOG_USEC", "30000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	ctx, cancel := context.WithCancel(t.Context())
	var log bytes.Buffer
	checks := 0
	done, stuckForLong := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		NewNotifier(slog.New(slog.NewTextHandler(&log, nil))).Watchdog(ctx, func() []string {
			if checks++; checks <= 2 {
				return nil
			}
			if checks == 8 {
				close(stuckForLong)
			}
			return []string{"stuck"}
		})
	}()
	for range 2 {
		if got := c.Receive(t); got != "WATCHDOG=1" {
			t.Errorf("notification %q", got)
		}
	}
	<-stuckForLong
	cancel()
	<-done
	if messages := c.Queued(t); len(messages) > 0 {
		t.Errorf("notifications while stuck: %q", messages)
	}
	if !strings.Contains(log.String(), "stuck") {
		t.Errorf("log %q does not contain the reason", log.String())
	}
}

func TestNothingHappensOutsideOfSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	var log bytes.Buffer
	n := NewNotifier(slog.New(slog.NewTextHandler(&log, nil)))
	n.Ready()
	n.Watchdog(t.Context(), func() []string { t.Error("faults was called"); return nil })
	if log.Len() > 0 {
		t.Errorf("log %q", log.String())
	}
}

func TestStoreHandsTheDescriptorOver(t *testing.T) {
	c := manager(t)
	n := NewNotifier(slog.New(slog.DiscardHandler))
	path := filepath.Join(t.TempDir(), "file")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := n.Store("events", f); err != nil {
		t.Fatal(err)
	}
	buf, rights := make([]byte, 512), make([]byte, unix.CmsgSpace(4*4))
	size, rightsSize, _, _, err := c.ReadMsgUnix(buf, rights)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(buf[:size]), "FDSTORE=1\nFDNAME=events\nFDPOLL=0"; got != want {
		t.Errorf("notification %q, want %q", got, want)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:rightsSize])
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d control messages: %v", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("descriptors %d: %v", fds, err)
	}
	defer unix.Close(fds[0])
	if _, err := unix.Write(fds[0], []byte("the same file")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "the same file" {
		t.Errorf("the file contains %q: %v", text, err)
	}
	n.Forget("events")
	if got, want := c.Receive(t), "FDSTOREREMOVE=1\nFDNAME=events"; got != want {
		t.Errorf("notification %q, want %q", got, want)
	}
}

func TestStoreWithoutAManagerDoesNothing(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := NewNotifier(slog.New(slog.DiscardHandler)).Store("events", os.Stdout); err != nil {
		t.Error(err)
	}
	if p := TakePassed(); len(p.Stored)+len(p.Listening) != 0 {
		t.Errorf("passed descriptors: %v", p)
	}
}
