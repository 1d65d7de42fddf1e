// SPDX-License-Identifier: Apache-2.0

// Package sysfs writes to the module's attributes in tests.
package sysfs

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Write is os.WriteFile with one write(2) that no signal ends early. The runtime
// sends itself signals: one would end a burst half-way, and the rest of the text
// would be written again, which begins another.
func Write(file, text string) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &all, &before); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)) }()
	_, err = f.WriteString(text)
	return err
}
