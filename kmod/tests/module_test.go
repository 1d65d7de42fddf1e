// SPDX-License-Identifier: Apache-2.0

//go:build kernel

// Package kmod_test tests the kernel module on a running kernel. The tests load and
// unload modules, and count lines of the kernel log, so they need root in a separate
// machine, which packaging/vm provides.
package kmod_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mdlayher/genetlink"
	"golang.org/x/sys/unix"
)

const (
	family = "genltest"
	group  = "mcgrp"

	pingPath  = "/sys/genltest/ping"
	burstPath = "/sys/genltest/burst"

	textMax = 4000 // GENLTEST_MSG_MAX
)

func TestMain(m *testing.M) {
	code := m.Run()
	if bad := kernelComplaints(kernelLog()); len(bad) > 0 {
		fmt.Printf("FAIL: the kernel logged a fault:\n%s\n", strings.Join(bad, "\n"))
		code = 1
	}
	os.Exit(code)
}

// module is a kernel module that a test may load.
type module struct {
	name string
	env  string // names the variable with the path of its file
}

var (
	genltestModule = module{name: "genltest", env: "GENLTEST_MODULE"}
	tutorialModule = module{name: "genltest_tutorial", env: "GENLTEST_TUTORIAL_MODULE"}
	squatterModule = module{name: "genltest_squatter", env: "GENLTEST_SQUATTER_MODULE"}
)

func (m module) load(t *testing.T) error {
	t.Helper()
	path := os.Getenv(m.env)
	if path == "" {
		t.Fatalf("%s is not set", m.env)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

func (m module) unload() error { return unix.DeleteModule(m.name, unix.O_NONBLOCK) }

// mustLoad loads the module until the end of the test.
func (m module) mustLoad(t *testing.T) {
	t.Helper()
	if err := m.load(t); err != nil {
		t.Fatalf("load %s: %v", m.name, err)
	}
	t.Cleanup(func() {
		if err := m.unload(); err != nil && !errors.Is(err, unix.ENOENT) {
			t.Errorf("unload %s: %v", m.name, err)
		}
	})
}

func (m module) mustUnload(t *testing.T) {
	t.Helper()
	if err := m.unload(); err != nil {
		t.Fatalf("unload %s: %v", m.name, err)
	}
}

func getFamily() (genetlink.Family, error) {
	c, err := genetlink.Dial(nil)
	if err != nil {
		return genetlink.Family{}, err
	}
	defer c.Close()
	return c.GetFamily(family)
}

func mustGetFamily(t *testing.T) genetlink.Family {
	t.Helper()
	f, err := getFamily()
	if err != nil {
		t.Fatalf("get family: %v", err)
	}
	return f
}

// wantUnloaded checks that neither the family nor its files exist.
func wantUnloaded(t *testing.T) {
	t.Helper()
	if _, err := getFamily(); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the family still exists: %v", err)
	}
	if _, err := os.Stat("/sys/genltest"); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the directory still exists: %v", err)
	}
}

func TestLoadAndUnloadLeaveNothing(t *testing.T) {
	for range 50 {
		if err := genltestModule.load(t); err != nil {
			t.Fatal(err)
		}
		mustGetFamily(t)
		mustWrite(t, pingPath, "hello\n")
		genltestModule.mustUnload(t)
		wantUnloaded(t)
	}
}

func TestSecondLoadFailsAndKeepsTheFirst(t *testing.T) {
	genltestModule.mustLoad(t)
	l := listen(t)

	if err := genltestModule.load(t); !errors.Is(err, unix.EEXIST) {
		t.Fatalf("second load: got %v, want EEXIST", err)
	}

	mustWrite(t, pingPath, "still here\n")
	if got := l.mustNext(t); got.Text != "still here" || got.Seq != 1 {
		t.Fatalf("got %+v", got)
	}
}

func TestLoadFailsCleanlyWhenTheFamilyExists(t *testing.T) {
	tutorialModule.mustLoad(t)
	l := listen(t)

	// For EEXIST, modprobe reports success.
	if err := genltestModule.load(t); !errors.Is(err, unix.EBUSY) {
		t.Fatalf("load with the tutorial's module loaded: got %v, want EBUSY", err)
	}
	if _, err := os.Stat(burstPath); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a failed load left %s: %v", burstPath, err)
	}

	mustWrite(t, pingPath, "hello")
	if got := l.mustNext(t); got.Text != "hello" {
		t.Fatalf("got %+v", got)
	}
}

func TestLoadFailsCleanlyWhenTheDirectoryExists(t *testing.T) {
	squatterModule.mustLoad(t)
	lines := logSince(t)

	if err := genltestModule.load(t); !errors.Is(err, unix.EBUSY) {
		t.Fatalf("load with a module that owns /sys/genltest: got %v, want EBUSY", err)
	}
	acceptDuplicateName(t)
	if got := lines(); !slices.Contains(got, "genltest: another module has the directory /sys/genltest") {
		t.Errorf("the kernel log does not contain the reason: %q", got)
	}
	if _, err := getFamily(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failed load left the family: %v", err)
	}

	squatterModule.mustUnload(t)
	genltestModule.mustLoad(t)
	mustWrite(t, pingPath, "hello\n")
}

func TestUnloadSucceedsWithASubscribedSocket(t *testing.T) {
	genltestModule.mustLoad(t)
	l := listen(t)
	mustWrite(t, pingPath, "before\n")
	genltestModule.mustUnload(t)

	if got := l.mustNext(t); got.Text != "before" {
		t.Fatalf("an event queued before the unload: got %+v", got)
	}
	l.wantNone(t)
	wantUnloaded(t)

	genltestModule.mustLoad(t)
	fresh := listen(t)
	mustWrite(t, pingPath, "after\n")
	if got := fresh.mustNext(t); got.Text != "after" {
		t.Fatalf("got %+v", got)
	}
}

func TestOpenFilesFailAfterTheUnload(t *testing.T) {
	genltestModule.mustLoad(t)
	f := mustOpen(t, pingPath)
	genltestModule.mustUnload(t)

	if _, err := unix.Write(f, []byte("hello\n")); !errors.Is(err, unix.ENODEV) {
		t.Fatalf("write to a file of an unloaded module: got %v, want ENODEV", err)
	}
}

func TestReloadHasANewLoadIDAndNumbersFromOne(t *testing.T) {
	seen := make(map[uint64]bool)
	for range 5 {
		if err := genltestModule.load(t); err != nil {
			t.Fatal(err)
		}
		l := listen(t)
		mustWrite(t, pingPath, "a\n")
		mustWrite(t, pingPath, "b\n")
		a, b := l.mustNext(t), l.mustNext(t)
		genltestModule.mustUnload(t)

		if a.Seq != 1 || b.Seq != 2 {
			t.Fatalf("sequence numbers after a load: got %d and %d, want 1 and 2", a.Seq, b.Seq)
		}
		if a.LoadID == 0 || a.LoadID != b.LoadID || seen[a.LoadID] {
			t.Fatalf("load ids: got %#x and %#x, seen before: %v", a.LoadID, b.LoadID, seen[a.LoadID])
		}
		seen[a.LoadID] = true
	}
}

func TestUnloadEndsABurst(t *testing.T) {
	genltestModule.mustLoad(t)
	l := listen(t)

	result := make(chan error, 1)
	fd := mustOpen(t, burstPath)
	go func() {
		_, err := unix.Write(fd, []byte("10000000 burst\n"))
		result <- err
	}()
	l.mustNext(t)

	genltestModule.mustUnload(t)
	if err := <-result; !errors.Is(err, unix.ESHUTDOWN) { // nil if the unload waited for the end of the burst
		t.Errorf("the burst ended with %v, want ESHUTDOWN", err)
	}
}
