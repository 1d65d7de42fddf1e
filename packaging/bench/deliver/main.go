// SPDX-License-Identifier: Apache-2.0

// Command deliver is the daemon's delivery as a program of the benchmark: the real
// journal, worker, sinks and dead letters. It talks to the driver in lines, like
// ../c/bench.h.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal"
)

const maxJournalBytes = 1 << 30 // as in the default configuration

// A task is a request of the driver.
type task struct {
	dir  string // for the journal and other files
	sink string

	envelope string
	to       string // address of the peer
	events   int
	text     int // bytes
	rate     int // per second; 0 means a backlog that exists from the beginning
	batch    int
	wait     time.Duration

	profile string // file for a CPU profile of the delivery; "" disables it
}

func main() {
	var t task
	flag.StringVar(&t.dir, "dir", "", "`directory` for all output files")
	flag.StringVar(&t.sink, "sink", "", "file, unsynced, webhook, socket, confirm, accept, refuse, nats, kafka, mqtt, redis, amqp, otlp "+
		"or otlp-plain; or the library of one, such as nats-library")
	flag.StringVar(&t.envelope, "envelope", "json", "of a webhook; \"template of JSON\" is one with that content type")
	flag.StringVar(&t.to, "to", "", "`address` of the peer")
	flag.IntVar(&t.events, "events", 0, "how many events")
	flag.IntVar(&t.text, "text", 0, "`bytes` of text in each")
	flag.IntVar(&t.rate, "rate", 0, "how many are appended a second; 0 appends all before it begins")
	flag.IntVar(&t.batch, "batch", 0, "batch_events")
	flag.DurationVar(&t.wait, "wait", 0, "batch_wait")
	flag.StringVar(&t.profile, "profile", "", "`file` for a profile of the CPU time")
	flag.Parse()
	if err := run(t); err != nil {
		fmt.Fprintln(os.Stderr, "deliver:", err)
		os.Exit(1)
	}
}

func run(t task) (err error) {
	switch t.sink {
	case "nats-library":
		return publishWithNATS(t)
	case "kafka-library":
		return produceWithFranz(t)
	case "mqtt-library":
		return publishWithMQTT(t)
	case "redis-library":
		return publishWithRedis(t)
	case "amqp-library":
		return publishWithAMQP(t)
	case "otlp-library":
		return postOTLP(t)
	}
	j, err := journal.Open(filepath.Join(t.dir, "journal"), journal.Options{MaxBytes: maxJournalBytes})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	w, err := newWorker(t, j)
	if err != nil {
		return err
	}
	s := &source{journal: j, text: t.text}
	if t.rate == 0 {
		if err := errors.Join(s.fill(t.events), j.Sync()); err != nil {
			return err
		}
		j.Seal()
	}
	return measure(t, s, w)
}

// measure delivers when the driver requests it, and prints the result.
func measure(t task, s *source, w *worker) error {
	wall, cpu, err := timeOf(t, func() error { return deliver(t, s, w) })
	if err != nil {
		return err
	}
	p50, p99 := w.timed.percentiles()
	fmt.Printf("delivered %d ns %d cpu %d p50 %d p99 %d fed %d\n", w.outcomes(), wall, cpu, p50, p99, s.took)
	return nil
}

// timeOf calls f when the driver requests it, and returns the time that it needed.
func timeOf(t task, f func() error) (wall, cpu int64, err error) {
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return 0, 0, err
	}
	runtime.GC() // frees the garbage of the preparation
	began, since, err := now()
	if err != nil {
		return 0, 0, err
	}
	if err := profiled(t.profile, f); err != nil {
		return 0, 0, err
	}
	ended, until, err := now()
	return ended - began, until - since, err
}

// deliver delivers the events in the journal and those that the source will append.
func deliver(t task, s *source, w *worker) error {
	fed := make(chan error, 1)
	go func() {
		if t.rate > 0 {
			fed <- s.feed(t.events, t.rate)
		}
		close(fed)
	}()
	return errors.Join(w.run(context.Background()), <-fed)
}

// profiled calls f, and writes a CPU profile of it.
func profiled(path string, f func() error) error {
	if path == "" {
		return f()
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return errors.Join(err, out.Close())
	}
	err = f()
	pprof.StopCPUProfile()
	return errors.Join(err, out.Close())
}

// now returns the time and the CPU time of this process, in ns.
func now() (wall, cpu int64, err error) {
	var t, c unix.Timespec
	err = errors.Join(unix.ClockGettime(unix.CLOCK_MONOTONIC, &t), unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &c))
	return t.Nano(), c.Nano(), err
}
