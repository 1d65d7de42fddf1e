// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// bufferBytes is the default of receiver.buffer.
const bufferBytes = 64 << 20

// A program receives events; see c/bench.h.
type program struct {
	name    string
	file    string
	journal bool // it needs a directory for a journal
}

var (
	cBatch      = program{name: "C, recvmmsg", file: "recvmmsg"}
	cWrite      = program{name: "C, recvmmsg and writev", file: "write", journal: true}
	cLibnl      = program{name: "C, libnl", file: "libnl"}
	cEpoll      = program{name: "C, epoll and recv", file: "epoll"}
	receiveOnly = program{name: "genltestd, receive only", file: "receive"}
	intoJournal = program{name: "genltestd, into the journal", file: "receive", journal: true}
)

// A load describes the events that a program receives.
type load struct {
	name   string
	events int
	text   int  // bytes
	rate   int  // per second; 0 means as fast as one process sends
	queued bool // all events are sent before the program starts
	pinned bool // sender and receiver are each pinned to one CPU
	memory bool // journals are on a tmpfs, to exclude the file system
}

// The CPUs of a pinned load.
const (
	anyCPU      = ""
	receiverCPU = "0"
	senderCPU   = "1"
)

func (l load) cpu(number string) string {
	if l.pinned {
		return number
	}
	return anyCPU
}

// A sample is the result of one run of a program.
type sample struct {
	cpu         float64 // ns an event
	allocations float64 // an event
	lost        int
	sent        float64 // events a second
}

// offered reports whether a rate in events per second is that of the load. On a busy
// machine, the sender may lack CPU time.
func offered(rate float64, l load) bool { return l.rate == 0 || rate >= 0.99*float64(l.rate) }

// slowest describes the lowest rate below that of the load; it is empty if all rates
// are high enough.
func slowest(rates []float64, l load) string {
	least := slices.Min(rates)
	if offered(least, l) {
		return ""
	}
	return fmt.Sprintf(" (busy machine: %s/s)", thousands(int(least)))
}

func reportBusy(rate float64, l load) {
	fmt.Fprintf(os.Stderr, "again: the machine is busy: sent %.0f events a second, not %d\n", rate, l.rate)
}

// A bench contains the directories of the programs and of the journals.
type bench struct{ programs, journals string }

// tmpfs is a tmpfs that every Linux machine has.
const tmpfs = "/dev/shm"

func (b bench) journalsOf(l load) string {
	if l.memory {
		return tmpfs
	}
	return b.journals
}

// measure runs p under l once.
func (b bench) measure(p program, l load) (s sample, err error) {
	limit := 2 * time.Minute
	if l.rate > 0 {
		limit += time.Duration(l.events/l.rate) * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	args := []string{strconv.Itoa(bufferBytes)}
	if p.journal {
		dir, err := os.MkdirTemp(b.journalsOf(l), "journal")
		if err != nil {
			return s, err
		}
		defer os.RemoveAll(dir)
		args = append(args, dir)
	}
	receiver, err := b.start(ctx, l.cpu(receiverCPU), p.file, args...)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, receiver.end()) }()
	if err := receiver.expect("ready"); err != nil {
		return s, err
	}
	return b.feed(ctx, receiver, l)
}

// feed sends the load and reads the result of the receiver.
func (b bench) feed(ctx context.Context, receiver *child, l load) (s sample, err error) {
	if !l.queued {
		if err := receiver.begin(); err != nil {
			return s, err
		}
	}
	sender, err := b.start(ctx, l.cpu(senderCPU), "send", strconv.Itoa(l.events), strconv.Itoa(l.text), strconv.Itoa(l.rate))
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, sender.end()) }()
	var ns int64
	if err := sender.expect("sent in %d ns", &ns); err != nil {
		return s, err
	}
	if l.queued {
		if err := receiver.begin(); err != nil {
			return s, err
		}
	}
	var received int
	var cpu, allocations float64
	if err := receiver.expect("received %d cpu %g allocations %g", &received, &cpu, &allocations); err != nil {
		return s, err
	}
	if received == 0 || received > l.events {
		return s, fmt.Errorf("%d events received of %d: is another benchmark running?", received, l.events)
	}
	n := float64(received)
	return sample{
		cpu: cpu / n, allocations: allocations / n, lost: l.events - received,
		sent: float64(l.events) / float64(ns) * 1e9,
	}, nil
}

// A child is a started program, which communicates in lines.
type child struct {
	*exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
}

func (b bench) start(ctx context.Context, cpu, file string, args ...string) (*child, error) {
	command := append([]string{filepath.Join(b.programs, file)}, args...)
	if cpu != anyCPU {
		command = append([]string{"taskset", "--cpu-list", cpu}, command...)
	}
	c := &child{Cmd: exec.CommandContext(ctx, command[0], command[1:]...)}
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if c.input, err = c.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.output = bufio.NewReader(output)
	return c, c.Start()
}

func (c *child) begin() error {
	_, err := fmt.Fprintln(c.input)
	return err
}

// expect reads one line in the format of fmt.Sscanf.
func (c *child) expect(format string, values ...any) error {
	line, err := c.output.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscanf(line, format, values...)
	}
	if err != nil {
		return fmt.Errorf("%q printed %q: %w", c.Args, line, err)
	}
	return nil
}

// end closes the child's input, at which the child exits.
func (c *child) end() error {
	return errors.Join(c.input.Close(), c.Wait())
}
