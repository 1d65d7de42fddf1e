// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/internal/fakekernel"
	"github.com/genltestd/genltestd/internal/kernelmsg"
	"github.com/genltestd/genltestd/internal/poll"
)

// The surroundings of a daemon that is reloaded under load: a kernel, events whose texts are
// numbers from 1, and the events that reached each sink.

const loadTestGroup = 13

// A userKernel provides the family on NETLINK_USERSOCK, through the kernel of this machine.
type userKernel struct{ sender *genl.UserSender }

func (k userKernel) Open(_ genl.Target, bufferBytes int, batch *genl.Batch) (receiver.Socket, genl.SocketReport, error) {
	s, report, err := genl.OpenUserSocket(loadTestGroup, bufferBytes, batch)
	if err != nil {
		return nil, report, err
	}
	return userSocket{s, k.sender.Port()}, report, nil
}

func (userKernel) Resolve(genl.Target) (genl.Registry, error) {
	return genl.Registry{Family: fakekernel.GenltestIDs(34, loadTestGroup)}, nil
}

func (userKernel) Forget(genl.Target) {}
func (userKernel) ForgetUnclaimed()   {}

// A userSocket accepts the messages of one process as if the kernel had sent them.
type userSocket struct {
	*genl.EventSocket
	sender uint32
}

func (s userSocket) Receive(handle func([]genl.Message) error) error {
	return s.EventSocket.Receive(func(messages []genl.Message) error {
		for i := range messages {
			if messages[i].Sender == s.sender {
				messages[i].Sender = genl.Kernel
			}
		}
		return handle(messages)
	})
}

// traffic sends events at a steady rate.
type traffic struct {
	sender *genl.UserSender
	sent   atomic.Uint64
}

// start sends until stop is called.
func (l *traffic) start(t *testing.T, perSecond int) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	before := l.sent.Load()
	sending.Go(func() {
		for began := time.Now(); ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
			for due := before + uint64(time.Since(began).Seconds()*float64(perSecond)); l.sent.Load() < due; l.sent.Add(1) {
				if err := l.sender.Send(kernelmsg.Event(strconv.FormatUint(l.sent.Load()+1, 10))); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	stop = func() { cancel(); sending.Wait() }
	t.Cleanup(stop)
	return stop
}

// arrivals contains the numbers that reached one destination, in the order of arrival.
type arrivals struct {
	mu         sync.Mutex
	seen       []bool
	last       uint64 // last number that was not a repetition
	repeated   int    // repeated numbers
	runs       int    // uninterrupted runs of repeated numbers
	inRun      bool
	outOfOrder []string // the first numbers out of order
}

func (c *arrivals) record(numbers ...uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range numbers {
		for uint64(len(c.seen)) <= n {
			c.seen = append(c.seen, make([]bool, 1024)...)
		}
		if c.seen[n] {
			c.repeated++
			if !c.inRun {
				c.runs++
			}
			c.inRun = true
			continue
		}
		c.inRun, c.seen[n] = false, true
		if n < c.last && len(c.outOfOrder) < 5 {
			c.outOfOrder = append(c.outOfOrder, fmt.Sprintf("%d after %d", n, c.last))
		}
		c.last = max(c.last, n)
	}
}

// missing returns the first wanted numbers up to last that have not arrived.
func (c *arrivals) missing(last uint64, wanted func(uint64) bool) (some []uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := uint64(1); n <= last && len(some) < 5; n++ {
		if wanted(n) && (n >= uint64(len(c.seen)) || !c.seen[n]) {
			some = append(some, n)
		}
	}
	return some
}

var (
	idField    = regexp.MustCompile(`"id":"([^"]*)"`)
	bareNumber = regexp.MustCompile(`(?m)^(\d+)$`)
)

// numbers finds the texts of events.
func numbers(field *regexp.Regexp, text []byte) (all []uint64) {
	for _, m := range field.FindAllSubmatch(text, -1) {
		n, err := strconv.ParseUint(string(m[1]), 10, 64)
		if err != nil {
			n = 0 // not an event of the load
		}
		all = append(all, n)
	}
	return all
}

// arrivalsInFiles reads the files of a sink. The numbers in each must ascend.
func arrivalsInFiles(t *testing.T, dir, sink string) *arrivals {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, sink+".*"))
	if err != nil {
		t.Fatal(err)
	}
	all := &arrivals{}
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		one := &arrivals{}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			field := messageField
			if !strings.HasPrefix(lines.Text(), "{") {
				field = bareNumber
			}
			n := numbers(field, lines.Bytes())
			if len(n) != 1 {
				t.Fatalf("%s: line %q", path, lines.Text())
			}
			one.record(n[0])
		}
		file.Close()
		if len(one.outOfOrder) > 0 || one.repeated > 0 {
			t.Errorf("%s: %d events twice, out of order: %q", path, one.repeated, one.outOfOrder)
		}
		for n, seen := range one.seen {
			if seen {
				all.record(uint64(n))
			}
		}
	}
	return all
}

// A footprint is the goroutines and descriptors of the process.
type footprint struct {
	goroutines, descriptors int
	stacks                  string
}

func currentFootprint(t *testing.T) footprint {
	t.Helper()
	var stacks strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&stacks, 1); err != nil {
		t.Fatal(err)
	}
	return footprint{runtime.NumGoroutine(), descriptors(t), stacks.String()}
}

// wantRestored waits until the process has as few goroutines and descriptors as before.
func (f footprint) wantRestored(t *testing.T) {
	t.Helper()
	poll.UntilNil(t, "no more goroutines and descriptors than before", func() error {
		now := currentFootprint(t)
		if now.goroutines <= f.goroutines && now.descriptors <= f.descriptors {
			return nil
		}
		stacks := cmp.Diff(strings.Split(f.stacks, "\n"), strings.Split(now.stacks, "\n"))
		return fmt.Errorf("%d goroutines and %d descriptors, before %d and %d; goroutines (-before +now):\n%s",
			now.goroutines, now.descriptors, f.goroutines, f.descriptors, stacks)
	})
}
