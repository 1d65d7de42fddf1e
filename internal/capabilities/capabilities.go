// SPDX-License-Identifier: Apache-2.0

// Package capabilities runs parts of tests without the capabilities of the process.
package capabilities

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Without calls do on a thread without capabilities, and waits for it.
func Without(t testing.TB, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			t.Error(err)
			return
		}
		do()
	}()
	<-done
}
