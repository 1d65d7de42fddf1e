// SPDX-License-Identifier: Apache-2.0

// Package feed is a process with the daemon's journal, workers and sinks, and with generated
// events. It can be killed at any moment and started again with the same arguments, and ends when
// all events have an outcome at every sink.
package feed

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/genltestd/genltestd/packaging/simhost"
)

// endFile is the name of the file that ends an endless load.
const endFile = "end"

// End makes the process append no further events, if it appends them without an end.
func End(dir string) error { return simhost.Replace(filepath.Join(dir, endFile), nil) }

// Counters are the state of a process, which it writes to a file in its directory.
type Counters struct {
	Pid         int
	Done        bool
	Journaled   uint64 // ever, also by earlier processes
	Undelivered uint64 // events of the journal without an outcome
	simhost.Total
}

const (
	interval  = 10 * time.Millisecond // between two states of the file
	stopLimit = 5 * time.Second       // as that of the daemon
)

func countersFile(dir string) string { return filepath.Join(dir, "counters") }

// Read returns the counters of the process that used dir last. They are zero before it has written
// them.
func Read(dir string) (c Counters, err error) {
	text, err := os.ReadFile(countersFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(text, &c)
}

// A task is the arguments.
type task struct {
	dir, config string
	events      uint64
	rate        float64
	waiting     uint64
	text        int
}

// Main is the function main of the process. It exits with 0 when all events have an outcome, or
// after SIGTERM.
func Main() {
	var t task
	flag.StringVar(&t.dir, "dir", "", "state `directory`")
	flag.StringVar(&t.config, "config", "", "`file` with the key sinks")
	flag.Uint64Var(&t.events, "events", 0, "`number` of events, those of earlier processes included; 0 appends them until End is called")
	flag.Float64Var(&t.rate, "rate", 0, "events per second; 0 appends all at once")
	flag.Uint64Var(&t.waiting, "waiting", 0, "`number` of events without an outcome, if events is 0")
	flag.IntVar(&t.text, "text", 80, "`bytes` of text in each event")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, t); err != nil {
		fmt.Fprintln(os.Stderr, "feed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, t task) error {
	text, err := os.ReadFile(t.config)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	h, err := simhost.Open(simhost.Options{Dir: t.dir, Name: "feed.example.org", Config: string(text), Text: t.text, Keep: true, Log: log})
	if err != nil {
		return err
	}
	if t.rate == 0 {
		if err := h.Fill(t.events); err != nil {
			return err
		}
	}
	h.Start(ctx)
	var appendErr error
	appended := make(chan struct{})
	go func() {
		defer close(appended)
		appendErr = appendEvents(ctx, t, h)
	}()
	delivered := await(ctx, t, h, appended)
	c := counters(h)
	c.Done = delivered && c.Journaled >= t.events
	<-appended
	if err := errors.Join(appendErr, h.Close(stopLimit), write(t.dir, c)); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// appendEvents appends events until all are in the journal, or ctx ends.
func appendEvents(ctx context.Context, t task, h *simhost.Host) error {
	if t.events > 0 {
		if t.rate > 0 {
			return h.Generate(ctx, t.events, t.rate)
		}
		return nil // they were appended before the start
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		if _, err := os.Stat(filepath.Join(t.dir, endFile)); err == nil {
			return nil
		}
		if waiting := h.Undelivered(); waiting < t.waiting {
			if err := h.Fill(h.Count() + t.waiting - waiting); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return ctx.Err()
}

// await returns true when all events have an outcome and no event follows, and false when ctx ends.
func await(ctx context.Context, t task, h *simhost.Host, appended <-chan struct{}) bool {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for last := false; ; {
		c := counters(h)
		if last && c.Undelivered == 0 {
			return true
		}
		if err := write(t.dir, c); err != nil {
			fmt.Fprintln(os.Stderr, "feed:", err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-appended:
			last, appended = true, nil
		case <-tick.C:
		}
	}
}

func counters(h *simhost.Host) Counters {
	return Counters{Pid: os.Getpid(), Journaled: h.Count(), Undelivered: h.Undelivered(), Total: h.Total()}
}

func write(dir string, c Counters) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return simhost.Replace(countersFile(dir), text)
}
