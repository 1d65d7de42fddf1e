// SPDX-License-Identifier: Apache-2.0

//go:build kernel

package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/poll"
)

// These tests use the real module, in the VM of packaging/vm/testexec.

func loadModule(t *testing.T) {
	t.Helper()
	f, err := os.Open(os.Getenv("GENLTEST_MODULE"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.DeleteModule("genltest", 0) }) // a test may have unloaded it
}

func TestKernelListenPrintsAPing(t *testing.T) {
	loadModule(t)
	stdout, stderr, _, exited := startListen(t, "-o", "json", "-n", "1")
	if code, _, errs := execute(t, "ping", "disk full"); code != 0 {
		t.Fatalf("ping: exit status %d, %q", code, errs)
	}
	if code := <-exited; code != 0 {
		t.Fatalf("exit status %d, %q", code, stderr)
	}
	var got listenForm
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || got.Message == nil || *got.Message != "disk full" ||
		got.Group != "mcgrp" || got.KernelSeq != 1 || got.LoadID == "" || got.KernelTime == nil {
		t.Errorf("%v: %s", err, stdout)
	}
}

func TestKernelListenFollowsTheModule(t *testing.T) {
	loadModule(t)
	stdout, stderr, _, exited := startListen(t, "-n", "1")
	if err := unix.DeleteModule("genltest", 0); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := execute(t, "ping", "x"); code != exitNoInput || !strings.Contains(errs, "modprobe genltest") {
		t.Errorf("ping without the module: exit status %d, %q", code, errs)
	}
	if code, _, errs := execute(t, "echo"); code != exitNoInput || !strings.Contains(errs, "modprobe genltest") {
		t.Errorf("echo without the module: exit status %d, %q", code, errs)
	}
	loadModule(t)
	poll.Until(t, "the new subscription", func() bool { return strings.Contains(stderr.String(), "is registered again") })
	if code, _, errs := execute(t, "ping", "again"); code != 0 {
		t.Fatalf("ping: exit status %d, %q", code, errs)
	}
	if code := <-exited; code != 0 || !strings.Contains(stdout.String(), "genltest mcgrp  again") {
		t.Errorf("exit status %d, %q, %q", code, stdout, stderr)
	}
}

func TestKernelEchoPrintsTheReply(t *testing.T) {
	loadModule(t)
	if code, stdout, errs := execute(t, "echo", "hello"); code != 0 || !strings.HasPrefix(stdout, "Hello from Kernel Space, Netlink!\ntime ") {
		t.Errorf("exit status %d, %q, %q", code, stdout, errs)
	}
	if code, _, errs := execute(t, "ping", strings.Repeat("x", 4001)); code != exitUsage || !strings.Contains(errs, "at most 4000 bytes") {
		t.Errorf("long ping: exit status %d, %q", code, errs)
	}
}
