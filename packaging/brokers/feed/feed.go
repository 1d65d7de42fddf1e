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
	text        int
}

// Main is the function main of the process. It exits with 0 when all events have an outcome, or
// after SIGTERM.
func Main() {
	var t task
	flag.StringVar(&t.dir, "dir", "", "state `directory`")
	flag.StringVar(&t.config, "config", "", "`file` with the key sinks")
	flag.Uint64Var(&t.events, "events", 0, "`number` of events, those of earlier processes included")
	flag.Float64Var(&t.rate, "rate", 0, "events per second; 0 appends all at once")
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
	generated := make(chan error, 1)
	go func() {
		if t.rate > 0 {
			generated <- h.Generate(ctx, t.events, t.rate)
		}
		close(generated)
	}()
	delivered := await(ctx, t, h)
	c := counters(h)
	c.Done = delivered && c.Journaled == t.events
	if err := errors.Join(<-generated, h.Close(stopLimit), write(t.dir, c)); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// await returns true when all events have an outcome, and false when ctx ends.
func await(ctx context.Context, t task, h *simhost.Host) bool {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		c := counters(h)
		if c.Journaled >= t.events && c.Undelivered == 0 {
			return true
		}
		if err := write(t.dir, c); err != nil {
			fmt.Fprintln(os.Stderr, "feed:", err)
		}
		select {
		case <-ctx.Done():
			return false
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
