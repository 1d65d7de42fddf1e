// SPDX-License-Identifier: Apache-2.0

// Package systemd speaks with the service manager: readiness, status, watchdog
// and the journal's log format. Outside of systemd all of it does nothing.
package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// A Notifier sends sd_notify(3) messages. It is safe for concurrent use.
type Notifier struct{ log *slog.Logger }

// NewNotifier returns a notifier that logs what it could not send.
func NewNotifier(log *slog.Logger) *Notifier { return &Notifier{log: log} }

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

// Status sets the line that systemctl status shows. It must not contain
// untrusted text.
func (n *Notifier) Status(format string, args ...any) {
	n.send("STATUS=" + fmt.Sprintf(format, args...))
}

func (n *Notifier) send(state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		n.log.Warn("cannot notify systemd", "message", state, "error", err)
	}
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
			n.log.Error("not telling the watchdog that the daemon is alive", "faults", found)
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
