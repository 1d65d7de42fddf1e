// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/genltestd/genltestd/internal/notifysocket"
)

var listening = regexp.MustCompile(`msg=listening component=http address=(\S+)`)

// TestIdleClientsDoNotBlockTheWatchdogOrScrapes: 150 connections that send nothing,
// half a request or a whole one stay open, and the daemon may have 64 descriptors.
func TestIdleClientsDoNotBlockTheWatchdogOrScrapes(t *testing.T) {
	manager := notifysocket.Listen(t)
	cmd := command(t, "--config", write(t, "http: {listen: \"127.0.0.1:0\"}\n"))
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+manager.Path, "WATCHDOG_USEC=300000")
	cmd.Args = append([]string{"sh", "-c", `ulimit -n 64; exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	address := serveUntilEnd(t, cmd)
	for i := range 150 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, []string{"", "GET / HT", "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"}[i%3]) // it may be closed already
	}
	for range 5 {
		transport := &http.Transport{}
		resp, err := (&http.Client{Transport: transport, Timeout: 30 * time.Second}).Get("http://" + address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		transport.CloseIdleConnections()
	}
	manager.Queued(t)
	manager.Await(t, "WATCHDOG=1")      // sent while these connections are open
	cmd.Process.Signal(syscall.SIGTERM) // seen in the message
	manager.Await(t, "STOPPING=1")
}

// serveUntilEnd starts the daemon, which ends with the test, and returns the address of
// its pages.
func serveUntilEnd(t *testing.T, cmd *exec.Cmd) (address string) {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() // it may have ended
		cmd.Wait()         // likewise
	})
	var log []byte
	for buf := make([]byte, 4096); ; {
		n, err := stderr.Read(buf)
		log = append(log, buf[:n]...)
		if m := listening.FindSubmatch(log); m != nil {
			go io.Copy(io.Discard, stderr) // until it ends
			return string(m[1])
		}
		if err != nil {
			t.Fatalf("the daemon does not serve: %v\n%s", err, log)
		}
	}
}
