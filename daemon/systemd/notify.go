// SPDX-License-Identifier: Apache-2.0

// Package systemd speaks with the service manager: readiness, status, watchdog
// and the journal's log format. Outside of systemd all of it does nothing.
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
	limits  *ratelog.Logger // of lines that may repeat
	manager string          // path of the service manager's socket; empty without a manager

	mu     sync.Mutex
	socket int // stays open: when descriptors run out, the watchdog must not; -1 is none
}

// NewNotifier returns a notifier that logs what it could not send.
func NewNotifier(log *slog.Logger) *Notifier {
	n := &Notifier{log: log, limits: ratelog.New(log), manager: os.Getenv("NOTIFY_SOCKET"), socket: -1}
	if n.manager != "" {
		_ = n.open() // the first message is tried again, and tells
	}
	return n
}

// Ready says that start-up is finished.
func (n *Notifier) Ready() { n.send(sd.SdNotifyReady) }

// Reloading says that the configuration is read anew; Ready ends it.
func (n *Notifier) Reloading() {
	if usec := sd.SdNotifyMonotonicUsec(); usec != "" {
		n.send(sd.SdNotifyReloading + "\n" + usec)
	}
}

// Stopping says that shutdown has begun.
func (n *Notifier) Stopping() { n.send(sd.SdNotifyStopping) }

const (
	// extension is how much time is asked for at once.
	extension = 15 * time.Second

	// extendInterval is the time from one request to the next.
	extendInterval = extension / 3
)

// Extend has systemd wait for a start, a reload or a stop beyond the unit's timeout until
// stop is called, at most for a time: a process that hangs is to be killed in the end.
func (n *Notifier) Extend(most time.Duration) (stop func()) {
	if n.manager == "" {
		return func() {}
	}
	ctx, cancel := context.WithTimeout(context.Background(), most)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(extendInterval)
		defer tick.Stop()
		for ctx.Err() == nil {
			n.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", extension.Microseconds()))
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// Status sets the line that systemctl status shows. It must not contain
// untrusted text.
func (n *Notifier) Status(format string, args ...any) {
	n.send("STATUS=" + fmt.Sprintf(format, args...))
}

func (n *Notifier) send(state string) {
	if err := n.message(state, nil); err != nil {
		n.limits.Warn("cannot notify systemd", "message", state, "error", err)
	}
}

// message sends one message, with control data such as descriptors.
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

// sendSeconds bounds how long a message may wait for a manager that does not read.
const sendSeconds = 5

// open opens the socket that messages are sent from, if it is not open yet. The caller
// holds mu, or is alone.
func (n *Notifier) open() error {
	if n.socket >= 0 {
		return nil
	}
	// Not connected: the manager may make its socket anew.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket for notifications: %w", err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: sendSeconds}); err != nil {
		return errors.Join(fmt.Errorf("limit the time of a notification: %w", err), unix.Close(fd))
	}
	n.socket = fd
	return nil
}

// Watchdog tells systemd that the process is alive, three times in each
// watchdog interval, as long as faults returns none. It returns when the context
// ends, or at once when the unit has no watchdog.
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
			n.limits.Error("not telling the watchdog that the daemon is alive", "faults", found)
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
