// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/notifysocket"
	"github.com/genltestd/genltestd/internal/poll"
)

const (
	maxDescriptors = 16        // in one message
	mark           = "X_MARK=" // begins the messages of settle
)

// A manager is a service manager with the descriptor store of one unit, as systemd's. It is
// safe for concurrent use.
type manager struct {
	socket *notifysocket.Socket

	mu       sync.Mutex
	files    []*os.File // Name is that in the store
	messages []string   // that have arrived since the last start of a process
	marks    int        // that settle has sent
	settled  string     // the last mark that has arrived
}

// newManager returns a manager that runs until the test ends.
func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{socket: notifysocket.Listen(t)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.serve()
	}()
	t.Cleanup(func() {
		m.socket.Close()
		<-ended
		for _, f := range m.files {
			f.Close()
		}
	})
	return m
}

func (m *manager) serve() {
	buf, control := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4*maxDescriptors))
	for {
		n, controlLen, _, _, err := m.socket.ReadMsgUnix(buf, control)
		if err != nil {
			return
		}
		m.receive(string(buf[:n]), descriptors(control[:controlLen]))
	}
}

// descriptors returns the descriptors of a message.
func descriptors(control []byte) (all []int) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		if fds, err := unix.ParseUnixRights(&m); err == nil {
			all = append(all, fds...)
		}
	}
	return all
}

func (m *manager) receive(message string, fds []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if strings.HasPrefix(message, mark) {
		m.settled = message
		return
	}
	m.messages = append(m.messages, message)
	lines := strings.Split(message, "\n")
	name := "stored"
	for _, line := range lines {
		if text, ok := strings.CutPrefix(line, "FDNAME="); ok {
			name = text
		}
	}
	if slices.Contains(lines, "FDSTOREREMOVE=1") {
		m.files = slices.DeleteFunc(m.files, func(f *os.File) bool {
			if f.Name() != name {
				return false
			}
			f.Close()
			return true
		})
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), name)
		if !slices.Contains(lines, "FDSTORE=1") || m.contains(f) {
			f.Close()
			continue
		}
		m.files = append(m.files, f)
	}
}

// contains reports whether the store contains another descriptor of the same socket.
func (m *manager) contains(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && slices.ContainsFunc(m.files, func(other *os.File) bool {
		otherInfo, err := other.Stat()
		return err == nil && os.SameFile(info, otherInfo)
	})
}

// stored returns the names of the stored descriptors, in alphabetical order.
func (m *manager) stored(t *testing.T) (names []string) {
	t.Helper()
	m.settle(t)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.files {
		names = append(names, f.Name())
	}
	slices.Sort(names)
	return names
}

// start starts a process of the unit, with copies of the stored descriptors.
func (m *manager) start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	m.settle(t) // the messages of the process before
	m.mu.Lock()
	defer m.mu.Unlock()
	m.messages = nil
	var names []string
	for _, f := range m.files {
		names = append(names, f.Name())
	}
	// The variable LISTEN_PID contains the id of the process, which only the process knows.
	cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+m.socket.Path,
		"LISTEN_FDS="+strconv.Itoa(len(names)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	cmd.ExtraFiles = m.files
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// await waits for a message of the running process, and forgets it and those before it.
func (m *manager) await(t *testing.T, message string) {
	t.Helper()
	poll.Until(t, "the process sends "+message, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		i := slices.Index(m.messages, message)
		m.messages = slices.Delete(m.messages, 0, i+1)
		return i >= 0
	})
}

// settle waits until all messages that have been sent are received.
func (m *manager) settle(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	m.marks++
	last := mark + strconv.Itoa(m.marks)
	m.mu.Unlock()
	m.socket.Send(t, last)
	poll.Until(t, "the messages are received", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.settled == last
	})
}
