// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/realserver"
	"github.com/genltestd/genltestd/internal/tmpfs"
)

// longSink is as long as the name of a sink can be: 63 characters.
const longSink = "a_sink_with_a_name_of_sixty_three_characters_without_any_break_"

// A daemon is a process that receives the events of ethtool, and has two sinks: hook, with a
// destination, and a file.
type daemon struct {
	*realserver.Server
	address string // of the status page
	hook    *destination
}

// startDaemon starts a daemon, which is healthy.
func startDaemon(t *testing.T) *daemon {
	t.Helper()
	dir, listen := t.TempDir(), sinktest.FreeAddress(t)
	d := &daemon{address: "http://" + listen + "/", hook: newDestination(t)}
	config := filepath.Join(dir, "genltestd.yaml")
	text := fmt.Sprintf(`families: [{name: ethtool}]
http: {listen: %q}
journal: {fsync: never}
sinks:
- {name: hook, attempt_timeout: 2s, retry_max: 200ms, webhook: {url: %q}}
- {name: %s, file: {path: %s/events, fsync: never}}
`, listen, d.hook.URL, longSink, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d.Server = realserver.Start(t, realserver.Spec{
		Program: os.Getenv(programVariable),
		Args:    []string{"--config", config},
		Env:     []string{"STATE_DIRECTORY=" + dir + "/state", "RUNTIME_DIRECTORY=" + tmpfs.Shared(t), "JOURNAL_STREAM=", "NOTIFY_SOCKET="},
		Ready:   answers(d.address + "healthz"), // after a restart a sink may fail
	})
	poll.UntilNil(t, "the daemon is healthy", answers(d.address+"readyz"))
	return d
}

// answers returns a condition that holds when a page exists.
func answers(address string) func() error {
	return func() error {
		response, err := http.Get(address)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", address, response.Status)
		}
		return nil
	}
}

// A destination is the server of a sink. A fault is the answer to each request, if it is not nil.
type destination struct {
	*httptest.Server
	fault atomic.Pointer[string]
}

func newDestination(t *testing.T) *destination {
	t.Helper()
	d := &destination{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if text := d.fault.Load(); text != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, *text)
		}
	}))
	t.Cleanup(d.Close)
	return d
}

// fail makes each request fail with a text.
func (d *destination) fail(text string) { d.fault.Store(&text) }

func (d *destination) repair() { d.fault.Store(nil) }

// causeEvents causes events of ethtool: it switches a feature of the device lo.
func causeEvents(t *testing.T, events int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var value struct{ command, on uint32 }
	request := struct {
		name  [unix.IFNAMSIZ]byte
		value unsafe.Pointer
		_     [2]uint64 // the rest of a struct ifreq
	}{name: [unix.IFNAMSIZ]byte{'l', 'o'}, value: unsafe.Pointer(&value)}
	ioctl := func(command, on uint32) {
		value.command, value.on = command, on
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
			t.Fatalf("switch a feature of lo: %v", errno)
		}
	}
	ioctl(unix.ETHTOOL_GGRO, 0)
	for on := value.on; events > 0; events-- {
		on ^= 1
		ioctl(unix.ETHTOOL_SGRO, on)
	}
}

const proxyConfig = `
daemon off;
master_process off;
worker_processes 1;
pid %[1]s/pid;
error_log %[1]s/error.log;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen %[2]s;
		location %[3]s {
			proxy_pass %[4]s;
		}
	}
}
`

// startProxy starts an nginx that serves the pages of the daemon below a prefix, and returns the
// address of the status page.
func startProxy(t *testing.T, d *daemon, prefix string) (address string) {
	t.Helper()
	dir, listen := t.TempDir(), sinktest.FreeAddress(t)
	if err := os.WriteFile(dir+"/nginx.conf", fmt.Appendf(nil, proxyConfig, dir, listen, prefix, d.address), 0o600); err != nil {
		t.Fatal(err)
	}
	address = "http://" + listen + prefix
	realserver.Start(t, realserver.Spec{
		Program: "nginx", Args: []string{"-p", dir, "-e", dir + "/error.log", "-c", dir + "/nginx.conf"}, Ready: answers(address),
	})
	return address
}
