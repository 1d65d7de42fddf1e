// SPDX-License-Identifier: Apache-2.0

// Package systemd implements the protocols of the service manager: readiness, status,
// watchdog, descriptor store, and the journal's log format. Without systemd, all functions
// do nothing.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/ratelog"
)

// A Notifier sends sd_notify(3) messages. It is safe for concurrent use.
type Notifier struct {
	log     *slog.Logger
	limits  *ratelog.Logger // for log lines that can repeat
	manager string          // path of the service manager's socket; empty without a manager

	mu     sync.Mutex
	socket int // open for the process's life, so that the watchdog works without free descriptors; -1 if not open
}

// NewNotifier returns a notifier that logs failed notifications.
func NewNotifier(log *slog.Logger) *Notifier {
	n := &Notifier{log: log, limits: ratelog.New(log), manager: os.Getenv("NOTIFY_SOCKET"), socket: -1}
	if n.manager != "" {
		_ = n.open() // the first message retries it and logs the error
	}
	return n
}

// Ready notifies systemd that start-up or a reload is complete.
func (n *Notifier) Ready() { n.send(sd.SdNotifyReady) }

// Reloading notifies systemd that a reload has started. Ready ends it.
func (n *Notifier) Reloading() {
	if usec := sd.SdNotifyMonotonicUsec(); usec != "" {
		n.send(sd.SdNotifyReloading + "\n" + usec)
	}
}

// Stopping notifies systemd that shutdown has started.
func (n *Notifier) Stopping() { n.send(sd.SdNotifyStopping) }

const (
	// extension is the additional time in one request.
	extension = 15 * time.Second

	// extendInterval is the interval between requests.
	extendInterval = extension / 3
)

// Extend extends the unit's timeout for a start, a reload or a stop until stop is called, at
// most by the given duration. After that, systemd can kill a process that hangs.
func (n *Notifier) Extend(limit time.Duration) (stop func()) {
	if n.manager == "" {
		return func() {}
	}
	extend := func() { n.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", extension.Microseconds())) }
	extend() // before the messages that follow
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(extendInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				extend()
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// Status sets the line that systemctl status shows. It must not contain untrusted text.
func (n *Notifier) Status(format string, args ...any) {
	n.send("STATUS=" + fmt.Sprintf(format, args...))
}

func (n *Notifier) send(state string) {
	if err := n.message(state, nil); err != nil {
		n.limits.Warn("cannot notify systemd", "message", state, "error", err)
	}
}

// message sends one message with control data, such as descriptors.
func (n *Notifier) message(state string, control []byte) error {
	if n.manager == "" {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.open(); err != nil {
		return err
	}
	for {
		err := unix.Sendmsg(n.socket, []byte(state), control, &unix.SockaddrUnix{Name: n.manager}, unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// sendSeconds is the maximum time to wait for a manager that does not read.
const sendSeconds = 5

// open opens the socket for sending, unless it is open. The caller must hold mu or be the
// only user.
func (n *Notifier) open() error {
	if n.socket >= 0 {
		return nil
	}
	// The socket is not connected, because the manager may recreate its own.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the notification socket: %w", err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: sendSeconds}); err != nil {
		return errors.Join(fmt.Errorf("set the timeout of the notification socket: %w", err), unix.Close(fd))
	}
	n.socket = fd
	return nil
}

// Watchdog notifies systemd three times per watchdog interval that the process is alive, while
// faults returns an empty list. It returns when the context ends, or at once if the unit has
// no watchdog.
func (n *Notifier) Watchdog(ctx context.Context, faults func() []string) {
	interval, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		n.log.Warn("cannot read the watchdog interval", "error", err)
	}
	if interval == 0 {
		return
	}
	tick := time.NewTicker(interval / 3)
	defer tick.Stop()
	for {
		if found := faults(); len(found) > 0 {
			n.limits.Error("the watchdog is not notified, because the daemon does not work", "faults", found)
		} else {
			n.send(sd.SdNotifyWatchdog)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
