// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// readTries bounds the attempts to read both clocks without an interruption.
const readTries = 10

// readClocks reads the clocks as nearly at the same moment as it can.
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
		panic("CLOCK_BOOTTIME: " + err.Error()) // Linux has it since 2.6.39
	}
	return time.Duration(now.Nano())
}

// timesyncFile is touched by systemd-timesyncd whenever it has synchronised the clock.
const timesyncFile = "/run/systemd/timesync/synchronized"

// synced reports whether the wall clock was synchronised since it was last stepped: the
// kernel knows it from NTP programs. The unit does not permit to ask the kernel, as the same
// system call sets the clock; there the file of systemd-timesyncd decides.
func synced(since time.Time) bool {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	if err == nil {
		return state != unix.TIME_ERROR && tx.Status&unix.STA_UNSYNC == 0
	}
	info, err := os.Stat(timesyncFile)
	return err == nil && !info.ModTime().Before(since)
}
