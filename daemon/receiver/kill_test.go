// SPDX-License-Identifier: Apache-2.0

package receiver_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/inbox"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/verify"
	"github.com/genltestd/genltestd/internal/fakekernel"
	"github.com/genltestd/genltestd/internal/kernelmsg"
	"github.com/genltestd/genltestd/internal/netdevices"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/tmpfs"
)

// A process with the daemon's receive path and journal is killed and restarted
// repeatedly. This process multicasts numbered events of two families over NETLINK_USERSOCK,
// and keeps the sockets open, as systemd does. The inboxes are on a tmpfs, as in /run: on a
// disk, the kernel may lose the message that it copies during the kill; see inbox.Inbox.

const killLoad = 0x1122334455667788

// A killFamily is one of the families.
type killFamily struct {
	target genl.Target
	ids    genl.FamilyIDs
}

// killFamilies share the journal. The first uses the numbers of its events.
var killFamilies = []killFamily{
	{genl.Genltest, fakekernel.GenltestIDs(40, 7)},
	{genl.Target{Family: "wire"}, fakekernel.IDs(41, 8, "link")},
}

func (f killFamily) group() uint32 { return f.ids.Groups[0].ID }

// openInbox opens the inbox of the family in a directory.
func (f killFamily) openInbox(t *testing.T, dir string) (b *inbox.Inbox, fresh bool) {
	t.Helper()
	b, fresh, err := inbox.Open(filepath.Join(dir, f.target.Family), genl.BatchBytes(f.target))
	if err != nil {
		t.Fatal(err)
	}
	return b, fresh
}

func TestKilledReceiverJournalsEachEventOnce(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("joining a group of NETLINK_USERSOCK needs root")
	}
	netdevices.EnterNamespace(t) // in which no other process multicasts to the group
	kills, events := 100, uint64(50_000)
	if os.Getenv("GENLTESTD_SOAK") != "" {
		kills, events = 1000, 500_000
	}
	dir, shared := t.TempDir(), tmpfs.Shared(t)
	var stored []*os.File
	var senders []*genl.UserSender
	var ports []string
	for _, f := range killFamilies {
		stored = append(stored, killTarget(t, f.group()))
		sender, err := genl.NewUserSender(f.group())
		if err != nil {
			t.Fatal(err)
		}
		defer sender.Close()
		senders, ports = append(senders, sender), append(ports, strconv.Itoa(int(sender.Port())))
	}
	run := func(ready io.Writer) *exec.Cmd {
		child := exec.Command("/proc/self/exe", "-test.run", "^TestKillChild$")
		child.Env = append(os.Environ(), "GENLTESTD_KILL_DIR="+dir, "GENLTESTD_KILL_RUNTIME="+shared,
			"GENLTESTD_KILL_SENDERS="+strings.Join(ports, " "))
		child.ExtraFiles = stored
		child.Stdout, child.Stderr = ready, os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		return child
	}
	var done atomic.Bool
	sent := make(chan uint64)
	go func() { sent <- send(t, senders, &done, events) }()

	before := 0                   // kills before the process received anything
	most := 60 * time.Millisecond // maximum life of a process; longer on a slow machine
	for i := range kills {
		last := generations(t, shared)
		child := run(nil)
		time.Sleep(time.Duration(rand.Int64N(int64(most))))
		if i == kills-1 {
			done.Store(true)
		}
		child.Process.Kill() // Wait follows
		child.Wait()         // killed
		if generations(t, shared) == last {
			before++
			most += most / 10
		}
	}
	if kills-before < kills/10 {
		t.Errorf("only %d of %d kills hit a process that was receiving", kills-before, kills)
	}
	total := <-sent
	out, ready, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	child := run(ready)
	ready.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the last process wrote %q, %v", line, err)
	}
	for _, f := range stored {
		waitForDrain(t, f)
	}
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}

	checkKilled(t, dir, total)
	t.Logf("%d events of each family, %d kills, %d of them before the process received", total, kills, before)
}

// checkKilled requires that the journal contains the events of each family once, in order, and
// that the last process accounts for them.
func checkKilled(t *testing.T, dir string, total uint64) {
	t.Helper()
	journaled := map[string]uint64{}
	_, err := verify.Dump(filepath.Join(dir, "journal"), func(_ string, r segment.Record) error {
		family, data := genl.FamilyName, r.Data
		if genl.IsMulticast(data) {
			m, err := genl.DecodeMulticast(data)
			if err != nil {
				return err
			}
			family, data = m.Family, m.Message
		}
		journaled[family]++
		if fields, err := genl.Decode(data); err != nil || fields.KernelSeq != journaled[family] {
			return fmt.Errorf("record %d is event %d of %s, %w; want event %d", r.Seq, fields.KernelSeq, family, err, journaled[family])
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	want := ""
	for _, f := range killFamilies {
		if n := journaled[f.target.Family]; n != total {
			t.Errorf("%d events of %s in the journal, %d sent", n, f.target.Family, total)
		}
		want += fmt.Sprintf("%s: received %d, lost map[]\n", f.target.Family, total)
	}
	if account, err := os.ReadFile(filepath.Join(dir, "account")); err != nil || string(account) != want {
		t.Errorf("account %q, %v; want %q", account, err, want)
	}
}

// killTarget opens the socket that the children receive from.
func killTarget(t *testing.T, group uint32) *os.File {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_USERSOCK)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "events")
	t.Cleanup(func() { f.Close() })
	err = errors.Join(unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_NO_ENOBUFS, 1),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, int(group)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// send multicasts at least the given number of events of each family, until done is true. It
// returns the number of events of one family.
func send(t *testing.T, senders []*genl.UserSender, done *atomic.Bool, least uint64) (seq uint64) {
	for !done.Load() || seq < least {
		for range 100 {
			seq++
			for i, s := range senders {
				if err := s.Send(killEvent(killFamilies[i].ids.ID, seq)); err != nil {
					t.Errorf("event %d: %v", seq, err)
					return seq
				}
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return seq
}

func killEvent(family uint16, seq uint64) []byte {
	return kernelmsg.EventOf(family, kernelmsg.Text("hi!"), kernelmsg.Seq(seq), kernelmsg.LoadID(killLoad))
}

// generations returns how many batches the children have received.
func generations(t *testing.T, dir string) (sum uint64) {
	t.Helper()
	for _, f := range killFamilies {
		b, _ := f.openInbox(t, dir)
		sum += b.Generation()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	return sum
}

// waitForDrain waits until nothing is queued in the socket.
func waitForDrain(t *testing.T, f *os.File) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the queue is empty", func() (empty bool) {
		err := raw.Control(func(fd uintptr) {
			_, _, err := unix.Recvfrom(int(fd), nil, unix.MSG_PEEK|unix.MSG_DONTWAIT|unix.MSG_TRUNC)
			empty = errors.Is(err, unix.EAGAIN)
		})
		if err != nil {
			t.Fatal(err)
		}
		return empty
	})
}
