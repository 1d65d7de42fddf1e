// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	stateDir = "/var/lib/genltestd"
	daemon   = "/usr/local/sbin/genltestd"
)

// moveSinkFileToTmpfs moves the sink's file to another disk than the failing one.
func moveSinkFileToTmpfs(t *testing.T) {
	t.Helper()
	mount(t, filepath.Dir(eventFile), "-t", "tmpfs", "-o", "size=32m", "tmpfs")
}

func mount(t *testing.T, dir string, args ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	command(t, "mount", append(args, dir)...)
	t.Cleanup(func() { runAtCleanup(t, "umount", dir) })
}

// runAtCleanup runs a program when the context of the test ends.
func runAtCleanup(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// loopDevice creates a block device of 64 MiB with an empty ext4.
func loopDevice(t *testing.T) string {
	t.Helper()
	file := filepath.Join("/run", strings.ReplaceAll(t.Name(), "/", "-"))
	write(t, file, "")
	if err := os.Truncate(file, 64<<20); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(file) })
	command(t, "modprobe", "loop")
	// All metadata is at the start of the device, including the journal of the file system.
	command(t, "mkfs.ext4", "-q", "-b", "4096", "-J", "size=16", "-E", "packed_meta_blocks=1", file)
	device := strings.TrimSpace(command(t, "losetup", "--find", "--show", file))
	t.Cleanup(func() { runAtCleanup(t, "losetup", "--detach", device) })
	return device
}

// flakyDisk mounts a disk for the journal on which writes of file contents can be made to fail.
// Metadata stays writable: otherwise ext4 would stop until it is unmounted. Blocks of
// directories are among those of files, so the kernel must not write them meanwhile.
func flakyDisk(t *testing.T) (fail, repair func()) {
	t.Helper()
	device := loopDevice(t)
	free := regexp.MustCompile(`Free blocks: (\d+)-`).FindStringSubmatch(command(t, "dumpe2fs", device))
	if free == nil {
		t.Fatal("dumpe2fs does not report where files begin")
	}
	var files int
	if _, err := fmt.Sscan(free[1], &files); err != nil {
		t.Fatal(err)
	}
	files *= 4096 / 512
	const sectors = 64 << 20 / 512
	table := func(rest string) string {
		return fmt.Sprintf("0 %d linear %s 0\n%d %d %s", files, device, files, sectors-files, fmt.Sprintf(rest, device, files))
	}
	works, fails := table("linear %s %d"), table("flakey %s %d 0 600 1 error_writes")
	command(t, "modprobe", "dm-flakey")
	create := exec.CommandContext(t.Context(), "dmsetup", "create", "flaky", "--noudevsync")
	create.Stdin = strings.NewReader(works)
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("dmsetup create: %v\n%s", err, out)
	}
	t.Cleanup(func() { runAtCleanup(t, "dmsetup", "remove", "--retry", "--noudevsync", "flaky") })
	command(t, "dmsetup", "mknodes")
	become := func(table string) {
		t.Helper()
		// Freezing the file system would first write, and wait.
		command(t, "dmsetup", "suspend", "--nolockfs", "--noflush", "flaky")
		load := exec.CommandContext(t.Context(), "dmsetup", "load", "flaky")
		load.Stdin = strings.NewReader(table)
		out, err := load.CombinedOutput()
		command(t, "dmsetup", "resume", "--noudevsync", "flaky")
		if err != nil {
			t.Fatalf("dmsetup load: %v\n%s", err, out)
		}
	}
	mount(t, stateDir, "/dev/mapper/flaky")
	const flusher = "/proc/sys/vm/dirty_writeback_centisecs"
	interval, err := os.ReadFile(flusher)
	if err != nil {
		t.Fatal(err)
	}
	write(t, flusher, "0")
	t.Cleanup(func() { write(t, flusher, string(interval)) })
	return func() { become(fails) }, func() { become(works) }
}

// checkDiskFault checks the daemon's promises while the journal's disk fails and after it recovers.
func checkDiskFault(t *testing.T, yaml, reason string, fail, repair func()) {
	t.Helper()
	u := start(t, fileSink+yaml, "")
	pid := u.property("MainPID")
	t.Cleanup(func() {
		if t.Failed() {
			_, body := get("/readyz")
			t.Logf("readyz:\n%s", body)
			kernel, _ := exec.Command("journalctl", "--dmesg", "--no-pager", "-n", "20", "-o", "short-monotonic").CombinedOutput()
			t.Logf("kernel:\n%s", kernel)
		}
	})
	sent := 0
	send := func(n int) {
		t.Helper()
		write(t, burst, fmt.Sprintf("%d x\n", n))
		sent += n
	}
	send(1000)
	u.eventually("the events before the fault", func() bool { return len(events(t)) == sent })

	fail()
	for range 20 { // some may arrive before the fault is detected
		send(50)
	}
	u.eventually("not ready, with the reason", func() bool {
		code, body := get("/readyz")
		return code == 503 && strings.Contains(body, "journal: ") && strings.Contains(body, reason)
	})
	u.eventually("the metric of a journal that does not accept events", func() bool { return metric("genltestd_journal_accepting") == 0 })
	u.eventually("a degraded status", func() bool {
		line := u.property("StatusText")
		return strings.HasPrefix(line, "DEGRADED: ") && strings.Contains(line, "the journal does not accept events")
	})
	if code, body := get("/healthz"); code != 200 {
		t.Errorf("healthz: %d %s: a restart would not help", code, body)
	}
	journaled := metric("genltestd_journal_last_number")
	send(2000)
	if got := metric("genltestd_journal_last_number"); got != journaled || journaled >= float64(sent) {
		t.Errorf("%v events journaled, then %v of %d; want the last 2000 to wait", journaled, got, sent)
	}

	repair()
	send(500)
	u.eventually("every event in the file", func() bool { return len(events(t)) >= sent })
	u.eventually("readiness", func() bool { code, _ := get("/readyz"); return code == 200 })
	u.eventually("a status without the fault", func() bool { return strings.HasPrefix(u.property("StatusText"), "subscribed") })
	list := events(t)
	for i, e := range list {
		if i > 0 && e.KernelSeq != list[i-1].KernelSeq+1 {
			t.Fatalf("kernel sequence %d after %d", e.KernelSeq, list[i-1].KernelSeq)
		}
	}
	if len(list) != sent {
		t.Errorf("%d events in the file, %d were sent", len(list), sent)
	}
	for name, want := range map[string]float64{
		"genltestd_events_received_total":                                      float64(sent),
		`genltestd_events_lost_total{reason="kernel_buffer"}`:                  0,
		`genltestd_sink_events_delivered_total{sink="archive"}`:                float64(sent),
		`genltestd_sink_events_dropped_total{reason="journal",sink="archive"}`: 0,
		"genltestd_journal_accepting":                                          1,
		"genltestd_journal_damaged_records_total":                              0,
	} {
		u.eventually(fmt.Sprintf("%s is %v", name, want), func() bool { return metric(name) == want })
	}
	u.eventually("all events are durable", func() bool {
		return metric("genltestd_journal_synced_number") == metric("genltestd_journal_last_number")
	})
	if got := u.property("MainPID"); got != pid {
		t.Errorf("process %s has become %s", pid, got)
	}
	command(t, daemon, "journal", "verify", journalDir)
}

func TestDiskThatFailsWrites(t *testing.T) {
	for _, fsync := range []string{"interval", "always"} {
		t.Run(fsync, func(t *testing.T) {
			moveSinkFileToTmpfs(t)
			fail, repair := flakyDisk(t)
			checkDiskFault(t, "journal: {fsync: "+fsync+"}\n", "input/output error", fail, repair)
		})
	}
}

// TestDiskThatTurnsReadOnly uses sysrq, because "mount -o remount,ro" fails while a file is
// open for writing. The kernel does the same to a file system with errors.
func TestDiskThatTurnsReadOnly(t *testing.T) {
	moveSinkFileToTmpfs(t)
	mount(t, stateDir, loopDevice(t))
	repair := func() {
		t.Helper()
		for _, dir := range []string{"/", stateDir} {
			runAtCleanup(t, "mount", "-o", "remount,rw", dir)
		}
	}
	checkDiskFault(t, "", "read-only file system", func() {
		t.Helper()
		t.Cleanup(repair)                    // also if the test fails; before the cleanup of start
		write(t, "/proc/sysrq-trigger", "u") // all disks
		unit{t}.eventually("a read-only disk", func() bool {
			return strings.Contains(command(t, "cat", "/proc/mounts"), " "+stateDir+" ext4 ro,")
		})
	}, repair)
}

func TestFullDiskOfTheJournal(t *testing.T) {
	moveSinkFileToTmpfs(t)
	mount(t, stateDir, "-t", "tmpfs", "-o", "size=4m", "tmpfs")
	filler := filepath.Join(stateDir, "filler")
	checkDiskFault(t, "", "no space left on device", func() {
		t.Helper()
		if err := os.WriteFile(filler, make([]byte, 8<<20), 0o600); err == nil {
			t.Fatal("the disk does not get full")
		}
	}, func() {
		t.Helper()
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	})
}
