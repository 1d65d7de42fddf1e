// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/reaper"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

// TestProcessOneReapsOnlyOrphans runs as process 1 of a namespace.
func TestProcessOneReapsOnlyOrphans(t *testing.T) {
	if os.Getpid() != 1 {
		runAsProcessOne(t)
		return
	}
	config := shell(`
		setsid sleep 0.05 <&- >&- 2>&- & echo $! >>"$1"
		[ $((GENLTEST_SEQ % 5)) != 0 ] || exit 75`)
	orphans := filepath.Join(t.TempDir(), "orphans")
	config.Argv = append(config.Argv, orphans)
	config.Concurrency = 4
	env := jsonEnv()
	env.Reaper = reaper.New()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); env.Reaper.Run(ctx) }()
	s := NewEvents(config, env)
	for range 10 {
		n, err := s.Deliver(t.Context(), sinktest.Events(1, 4))
		if n != 4 || err != nil {
			t.Fatalf("accepted %d events: %v", n, err)
		}
		n, err = s.Deliver(t.Context(), sinktest.Events(5, 1))
		if n != 0 || err == nil || sink.Poisoned(err) != 0 || !strings.Contains(err.Error(), "exit status 75") {
			t.Fatalf("accepted %d events: %v", n, err)
		}
	}
	list, err := os.ReadFile(orphans)
	if err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(string(list))
	if len(pids) < 50 {
		t.Errorf("%d orphans", len(pids))
	}
	for _, text := range pids {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		poll.Until(t, "process "+text+" has disappeared", func() bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) })
	}
	cancel()
	<-ended
}

func runAsProcessOne(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a process namespace needs root")
	}
	self := exec.Command("/proc/self/exe", "-test.run", "^"+t.Name()+"$")
	self.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	if out, err := self.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
