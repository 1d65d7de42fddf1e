// SPDX-License-Identifier: Apache-2.0

//go:build kernel

package kmod_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	syslogReadAll    = 3
	syslogBufferSize = 10
)

// kernelLog returns the raw kernel log. /dev/kmsg would escape it.
func kernelLog() string {
	size, err := unix.Klogctl(syslogBufferSize, nil)
	if err != nil {
		panic(fmt.Sprintf("size of the kernel log: %v", err))
	}
	buf := make([]byte, size)
	n, err := unix.Klogctl(syslogReadAll, buf)
	if err != nil {
		panic(fmt.Sprintf("read the kernel log: %v", err))
	}
	return string(buf[:n])
}

var complaints = []string{"WARNING:", "BUG:", "Oops", "general protection", "KASAN", "INFO: task"}

func kernelComplaints(log string) []string {
	var bad []string
	for line := range strings.Lines(log) {
		for _, c := range complaints {
			if strings.Contains(line, c) {
				bad = append(bad, strings.TrimSpace(line))
			}
		}
	}
	return bad
}

// acceptDuplicateName accepts the stack that sysfs logs for a name that already exists.
// It moves the mark of guest/check-kernel-log after the stack, which would otherwise
// fail the run.
func acceptDuplicateName(t *testing.T) {
	t.Helper()
	const mark = "genltest-vm: mark"
	log := kernelLog()
	log = log[max(0, strings.LastIndex(log, mark)):]
	if !strings.Contains(log, "sysfs: cannot create duplicate filename") || strings.Count(log, "Call Trace:") != 1 {
		t.Fatalf("want one stack in the kernel log, for a duplicate name; got:\n%s", log)
	}
	if err := os.WriteFile("/dev/kmsg", []byte(mark+"\n"), 0); err != nil {
		t.Fatal(err)
	}
}

var logMarks atomic.Int32

// logSince marks the kernel log, and returns a function that returns our lines after
// the mark.
func logSince(t *testing.T) func() []string {
	t.Helper()
	mark := fmt.Sprintf("kmod_test mark %d for %s", logMarks.Add(1), t.Name())
	// Without its newline, the mark would not be readable before the next line.
	if err := os.WriteFile("/dev/kmsg", []byte(mark+"\n"), 0); err != nil {
		t.Fatal(err)
	}
	return func() []string {
		_, after, found := strings.Cut(kernelLog(), mark)
		if !found {
			t.Fatal("the mark has left the kernel log")
		}
		var lines []string
		for line := range strings.SplitSeq(after, "\n") {
			// Only lines that begin with our prefix, not those that mention the module.
			if _, text, ok := strings.Cut(line, "] genltest"); ok {
				lines = append(lines, "genltest"+text)
			}
		}
		return lines
	}
}
