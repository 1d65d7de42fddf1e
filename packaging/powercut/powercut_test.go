// SPDX-License-Identifier: Apache-2.0

//go:build powercut

package powercut

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	diskBytes = 512 << 20
	burst     = 100 // events per write; the kernel numbers them in their texts
)

// An event is one event on the disk.
type event struct {
	Seq       uint64
	KernelSeq uint64 `json:"kernel_seq"`
	Message   string
}

// A machine is one VM between its boot and its power cut.
type machine struct {
	t       *testing.T
	cmd     *exec.Cmd
	lines   *bufio.Scanner
	message string
}

// boot starts a VM with the disk. Its events have the text of this boot.
func boot(t *testing.T, disk, message, fsync string) *machine {
	t.Helper()
	guest, err := os.ReadFile("guest")
	if err != nil {
		t.Fatal(err)
	}
	kernel := cmp.Or(os.Getenv("GENLTEST_KERNEL"), "6.1")
	cmd := exec.CommandContext(t.Context(), "../vm/vm", "--kernel", kernel, "--timeout", "5m", "--disk", disk,
		"--", "bash", "-c", string(guest), "guest", message, fsync, strconv.Itoa(burst))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, cmd: cmd, lines: bufio.NewScanner(out), message: message}
	t.Cleanup(func() {
		m.cut()
		cmd.Wait() // it was ended
	})
	return m
}

func (m *machine) line() string {
	m.t.Helper()
	if !m.lines.Scan() {
		m.t.Fatalf("the VM ended: %v, %v", m.lines.Err(), m.cmd.Wait())
	}
	return m.lines.Text()
}

// events returns the events on the disk at the boot.
func (m *machine) events() map[uint64]event {
	m.t.Helper()
	events := map[uint64]event{}
	for {
		line := m.line()
		if line == "end of the events" {
			return events
		}
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			m.t.Fatalf("%v: %q", err, line)
		}
		if _, twice := events[e.Seq]; twice {
			m.t.Errorf("number %d is there twice", e.Seq)
		}
		events[e.Seq] = e
	}
}

// cut ends the VM: vm kills QEMU when it is terminated. Its earlier output is kept.
func (m *machine) cut() {
	m.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
}

// synced follows the numbers that the daemon reports as durable until the machine is
// cut, some time after the first numbers, and returns the last one.
func (m *machine) synced() (last uint64) {
	m.t.Helper()
	cutAfter := 5 + rand.IntN(20)
	for moves := 0; m.lines.Scan(); {
		text, ok := strings.CutPrefix(m.lines.Text(), "synced ")
		if !ok {
			m.t.Fatalf("the guest printed %q", m.lines.Text())
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			m.t.Fatal(err)
		}
		if n := uint64(f); n > last {
			last = n
			moves++
		}
		if moves == cutAfter {
			time.AfterFunc(rand.N(500*time.Millisecond), m.cut)
			moves++
		}
	}
	m.cmd.Wait() // it was ended
	return last
}

// afterTheCut changes the disk to its state after a loss of power.
func afterTheCut(t *testing.T, before, disk string) (lost int) {
	t.Helper()
	log, err := os.Open(disk + ".log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	image, err := os.OpenFile(before, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	r, err := replay(log, image, func() bool { return rand.IntN(2) == 0 })
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("blocks: %d flushed; of the others %d kept, %d lost", r.flushed, r.kept, r.lost)
	if r.flushed == 0 {
		t.Error("nothing was ever flushed: the log is incomplete")
	}
	if err := os.Rename(before, disk); err != nil {
		t.Fatal(err)
	}
	return r.lost
}

// TestPowerCut: events that the daemon has reported as durable exist after a power cut,
// and events that exist after one cut exist after the next.
func TestPowerCut(t *testing.T) {
	policies := []string{"interval", "always"}
	soak := os.Getenv("GENLTESTD_SOAK") != ""
	for soak && len(policies) < 30 {
		policies = append(policies, policies...)
	}
	lost := 0
	dir := t.TempDir()
	disk, before := filepath.Join(dir, "disk"), filepath.Join(dir, "before")
	makeDisk(t, disk)
	var last struct {
		message string
		synced  uint64
		events  map[uint64]event
	}
	for i, fsync := range append(policies, "never") { // the last boot only reads
		copySparse(t, disk, before)
		m := boot(t, disk, fmt.Sprintf("boot-%d", i), fsync)
		events := m.events()
		for seq, e := range last.events {
			if events[seq] != e {
				t.Errorf("boot %d: event %d is %+v, and was %+v", i, seq, events[seq], e)
			}
		}
		if i > 0 {
			checkSynced(t, events, last.message, last.synced)
		}
		if t.Failed() || i == len(policies) {
			m.cut()
			break
		}
		last.events, last.message, last.synced = events, m.message, m.synced()
		t.Logf("cut %d, fsync %s: durable up to %d", i+1, fsync, last.synced)
		lost += afterTheCut(t, before, disk)
	}
	// With this many cuts, some are made while unflushed data exists.
	if soak && lost == 0 {
		t.Error("no cut has lost anything: power was never cut")
	}
}

// checkSynced checks that all events of one boot up to a number exist.
func checkSynced(t *testing.T, events map[uint64]event, message string, synced uint64) {
	t.Helper()
	count, first := 0, uint64(0)
	for seq, e := range events {
		if strings.HasPrefix(e.Message, message+" ") {
			count++
			if e.KernelSeq == 1 {
				first = seq
			}
		}
	}
	if first == 0 || synced < first {
		t.Errorf("%s: %d events are left, the first has number %d; %d was reported as durable", message, count, first, synced)
		return
	}
	t.Logf("%s: %d events were reported as durable, %d are left", message, synced-first+1, count)
	for seq := first; seq <= synced; seq++ {
		n := seq - first
		if want := (event{Seq: seq, KernelSeq: n + 1, Message: fmt.Sprint(message, " ", n%burst+1)}); events[seq] != want {
			t.Fatalf("event %d is %+v, want %+v; all up to %d were reported as durable", seq, events[seq], want, synced)
		}
	}
}

func makeDisk(t *testing.T, disk string) {
	t.Helper()
	if err := os.WriteFile(disk, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(disk, diskBytes); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mkfs.ext4", "-q", disk).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v\n%s", err, out)
	}
}

func copySparse(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "cp", "--sparse=always", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
}
