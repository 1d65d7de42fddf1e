// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

// TestEventSocketIsOpenedFirst: a part that is opened before the event socket, and hangs or
// fails, would lose events.
func TestEventSocketIsOpenedFirst(t *testing.T) {
	dirs := Dirs{State: t.TempDir(), Runtime: t.TempDir()}
	archive := filepath.Join(t.TempDir(), "events")
	early := map[string]bool{
		filepath.Join(dirs.Runtime, api.SocketName):            true,
		filepath.Join(dirs.State, "journal", "cursor-archive"): true, archive: true,
	}
	address := sinktest.FreeAddress(t)
	k := newKernel()
	k.Opening = func() {
		for path := range early {
			_, err := os.Stat(path)
			early[path] = err == nil
		}
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			t.Error("the pages were served before the event socket was open")
		}
	}
	cfg := parse(t, "http: {listen: \""+address+"\"}\nsinks:\n- {name: archive, file: {path: "+archive+"}}\n")
	f := launch(t, cfg, Options{Kernel: k, Echo: prober{}, Dirs: dirs})
	k.event("x")
	poll.Until(t, "the event is delivered", func() bool { return f.pipelines.All()[0].State().Delivered == 1 })
	for path, was := range early {
		if _, err := os.Stat(path); was || err != nil {
			t.Errorf("%s existed before the event socket: %v; later: %v", path, was, err)
		}
	}
}

// TestUnavailableAddressLosesNoEvents runs in its own network namespace, and adds the address after
// events were delivered.
func TestUnavailableAddressLosesNoEvents(t *testing.T) {
	if os.Getenv("GENLTESTD_NETNS") == "" {
		runInNetns(t)
		return
	}
	addAddress(t, "lo", [4]byte{127, 0, 0, 1}) // without an address in the namespace, the kernel binds any address
	f := start(t, "http: {listen: \"192.0.2.7:9941\"}\nsinks: [{name: out, stdout: {}}]\n", newKernel(), prober{})
	f.kernel.event("before")
	poll.Until(t, "the event is delivered", func() bool { return f.pipelines.All()[0].State().Delivered == 1 })
	if line := f.statusLine(); !strings.HasPrefix(line, "DEGRADED: ") || !containsAll(line, "http: ", "192.0.2.7:9941") {
		t.Errorf("status %q", line)
	}
	if f.listening("http") || !f.listening("control") {
		t.Error("the metric does not show which listener is missing")
	}
	addAddress(t, "lo:1", [4]byte{192, 0, 2, 7})
	poll.Until(t, "the pages", func() bool { return f.web.Bound() != nil })
	f.ready(t)
	if line := f.statusLine(); strings.HasPrefix(line, "DEGRADED: ") {
		t.Errorf("status %q", line)
	}
	if _, body := f.get(t, "/metrics"); !strings.Contains(body, `genltestd_listening{listener="http"} 1`) {
		t.Error("the metric does not show that the pages are served")
	}
}

func runInNetns(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	self := exec.Command("/proc/self/exe", "-test.run", "^"+t.Name()+"$")
	self.Env = append(os.Environ(), "GENLTESTD_NETNS=1")
	self.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	if out, err := self.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// addAddress adds an address to a device and enables the device.
func addAddress(t *testing.T, device string, address [4]byte) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(device)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SetInet4Addr(address[:]); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, r); err != nil {
		t.Fatal(err)
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_LOOPBACK | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r); err != nil {
		t.Fatal(err)
	}
}

func TestUnavailableControlSocketLosesNoEvents(t *testing.T) {
	dirs := Dirs{State: t.TempDir(), Runtime: t.TempDir()}
	path := filepath.Join(dirs.Runtime, api.SocketName)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	k := newKernel()
	f := launch(t, parse(t, listenAnywhere), Options{Kernel: k, Echo: prober{}, Dirs: dirs})
	k.event("x")
	poll.Until(t, "the event is delivered", func() bool { return f.pipelines.All()[0].State().Delivered == 1 })
	if code, body := f.get(t, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "control: control socket "+path) {
		t.Errorf("readyz: %d %s", code, body)
	}
	if _, body := f.get(t, "/metrics"); !strings.Contains(body, `genltestd_listening{listener="control"} 0`) {
		t.Error("the metric does not show that the socket is missing")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the socket", func() bool { return f.socket.Bound() != nil })
	if err := api.NewClient(path).Boxes(t.Context(), func(api.Box) error { return nil }); err != nil {
		t.Error(err)
	}
	f.ready(t)
}

// TestUnavailableAddressDoesNotPreventReloads: a new configuration is not at fault for the address that
// could not be bound at the start.
func TestUnavailableAddressDoesNotPreventReloads(t *testing.T) {
	inUse, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inUse.Close()
	http := fmt.Sprintf("http: {listen: %q}\n", inUse.Addr())
	r := startReloadable(t, http+"sinks: [{name: a, file: {path: DIR/a}}]\n")
	if done := r.mustReload(t, http+"sinks: [{name: b, file: {path: DIR/b}}]\n"); len(done.Added) != 1 {
		t.Errorf("outcome %+v", done)
	}
	r.mustReload(t, listenAnywhere)
	if code, body := r.get(t, "/healthz"); code != 200 {
		t.Errorf("healthz: %d %s", code, body)
	}
	if _, err := r.reload(t, http); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a reload to an address in use: %v", err)
	}
}
