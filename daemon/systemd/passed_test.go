// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPassedDescriptorsAreDividedByUse runs itself as a process of a unit, with a socket of a socket
// unit and two stored descriptors.
func TestPassedDescriptorsAreDividedByUse(t *testing.T) {
	if os.Getenv("GENLTESTD_PASSED") != "" {
		p := TakePassed()
		fmt.Printf("passed %v", [2]int{len(p.Listening), len(p.Stored)})
		for _, f := range p.Stored {
			fmt.Printf(" %s", f.Name())
		}
		fmt.Println()
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	datagrams, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	stored, err := datagrams.File()
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	file, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// The variable LISTEN_PID contains the id of the process, which only the process knows.
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run='^TestPassedDescriptors'`, os.Args[0])
	cmd.Env = append(os.Environ(), "GENLTESTD_PASSED=1", "LISTEN_FDS=3", "LISTEN_FDNAMES=events:genltestd.socket:meter")
	cmd.ExtraFiles = []*os.File{stored, socket, file}
	out, err := cmd.CombinedOutput()
	if want := "passed [1 2] events meter\nPASS\n"; err != nil || string(out) != want {
		t.Errorf("%v\n%swant\n%s", err, out, want)
	}
}
