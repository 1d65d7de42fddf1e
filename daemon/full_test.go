// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/tmpfs"
)

// fillDisk writes to a file system until it is full.
func fillDisk(t *testing.T, dir string) (ballast string) {
	t.Helper()
	ballast = filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	return ballast
}

// On a full disk, a start cannot write the list of removed sinks, the boots, or the files of a
// new sink. It must deliver the waiting events, which frees the disk.
func TestStartOnAFullDiskDeliversTheJournal(t *testing.T) {
	dirs := Dirs{State: tmpfs.Mount(t, "size=24m"), Runtime: t.TempDir()}
	out := t.TempDir()
	sinks := func(path string, more string) *config.Config {
		limits := "journal: {path: " + dirs.State + "/journal, max_bytes: 16MiB}\nshutdown: {drain: 10ms}\n"
		return parse(t, listenAnywhere+limits+"sinks:\n- {name: archive, file: {path: "+path+"}}\n"+more)
	}
	run := func(cfg *config.Config, boot string) fixture {
		k := newKernel()
		f := launch(t, cfg, Options{Dirs: dirs, Kernel: k, Echo: prober{}, Machine: newMachine(boot)})
		f.kernel = k
		return f
	}
	before := run(sinks(filepath.Join(out, "missing", "events"), "- {name: removed, stdout: {}}\n- {name: removed-too, stdout: {}}\n"), "a")
	before.kernel.event("one")
	poll.Until(t, "the removed sink has the event", func() bool { return before.pipelines.All()[1].State().Delivered == 1 })
	if err := before.stop(); err != nil {
		t.Fatal(err)
	}
	between := run(sinks(filepath.Join(out, "missing", "events"), "- {name: removed-too, stdout: {}}\n"), "a")
	if err := between.stop(); err != nil {
		t.Fatal(err)
	}
	times, err := os.ReadFile(filepath.Join(dirs.State, pipeline.RemovedFile))
	if err != nil || !strings.Contains(string(times), `"removed"`) {
		t.Fatalf("%s, %v: the test does not test anything", times, err)
	}
	ballast := fillDisk(t, dirs.State)
	after := run(sinks(filepath.Join(out, "events"), ""), "a")
	poll.Until(t, "the event is delivered", func() bool { return after.pipelines.All()[0].State().Delivered == 1 })
	code, text := after.get(t, "/readyz")
	if code != 503 || !strings.Contains(text, "state: removed_sinks: ") {
		t.Errorf("/readyz has %d %q, want the file that cannot be written", code, text)
	}
	if _, scrape := after.get(t, "/metrics"); !strings.Contains(scrape, `genltestd_state_file_fault{file="removed_sinks"} 1`) {
		t.Error("the metrics do not show the fault")
	}
	if text, err := os.ReadFile(filepath.Join(dirs.State, pipeline.RemovedFile)); string(text) != string(times) {
		t.Errorf("the times are %s, %v, want %s", text, err, times)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	after.pipelines.ForgetRemoved() // as the daemon does every minute
	if text, err := os.ReadFile(filepath.Join(dirs.State, pipeline.RemovedFile)); !strings.Contains(string(text), `"removed-too"`) {
		t.Errorf("after space was freed, the times are %s, %v", text, err)
	}
	if code, text := after.get(t, "/readyz"); strings.Contains(text, "removed_sinks") {
		t.Errorf("/readyz still has %d %q", code, text)
	}
}

// A sink whose dead letters cannot be opened still delivers events.
func TestUnreadableDeadLettersAffectOnlyTheirSink(t *testing.T) {
	dirs := Dirs{State: t.TempDir(), Runtime: t.TempDir()}
	k := newKernel()
	path := filepath.Join(dirs.State, "deadletters", "out")
	if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	f := launch(t, parse(t, listenAnywhere+"sinks:\n- {name: out, stdout: {}}\n"), Options{Dirs: dirs, Kernel: k, Echo: prober{}})
	k.event("one")
	poll.Until(t, "the event is delivered", func() bool { return f.pipelines.All()[0].State().Delivered == 1 })
	if code, text := f.get(t, "/readyz"); code != 503 || !strings.Contains(text, path) {
		t.Errorf("/readyz has %d %q, want %s", code, text, path)
	}
	if boxes := f.deadLetters().Boxes(); len(boxes) != 1 || !strings.Contains(boxes[0].Fault, path) {
		t.Errorf("%+v, want the fault", boxes)
	}
	if _, err := f.deadLetters().Letter("out", "j-1"); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a letter: %v, want the fault", err)
	}
}
