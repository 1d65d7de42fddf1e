// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// readTries bounds the attempts to read both clocks without a preemption in between.
const readTries = 10

// readClocks reads both clocks as close together as possible.
func readClocks() (best Reading) {
	width := time.Duration(1<<63 - 1)
	for range readTries {
		before, now, after := uptime(), time.Now(), uptime()
		if after-before < width {
			width = after - before
			best = Reading{Wall: now, Uptime: before + width/2}
		}
		if width < time.Millisecond {
			break
		}
	}
	return best
}

func uptime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		panic("CLOCK_BOOTTIME: " + err.Error()) // Linux supports it since 2.6.39
	}
	return time.Duration(now.Nano())
}

// systemd-timesyncd touches timesyncFile when it has synchronised the clock.
const timesyncFile = "/run/systemd/timesync/synchronized"

// synced reports whether the wall clock was synchronised after its last step. The kernel
// knows this from NTP programs. In the unit, adjtimex is not permitted because it can also
// set the clock; then the file of systemd-timesyncd is used.
func synced(since time.Time) bool {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	if err == nil {
		return state != unix.TIME_ERROR && tx.Status&unix.STA_UNSYNC == 0
	}
	info, err := os.Stat(timesyncFile)
	return err == nil && !info.ModTime().Before(since)
}
