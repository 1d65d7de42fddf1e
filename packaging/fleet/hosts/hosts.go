// SPDX-License-Identifier: Apache-2.0

// Package hosts is a process with many simulated hosts of a fleet. Each has its own journal,
// worker and connection.
package hosts

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
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/packaging/simhost"
)

// Counters are the state of a process.
type Counters struct {
	Pid     int
	CPU     time.Duration // of the process
	MaxRSS  int64         // bytes
	Hosts   []Host
	Stopped bool
}

// A Host is the counters of one host.
type Host struct {
	Name                   string
	Journaled, Undelivered uint64
	Failures               uint64 // attempts
	Lost                   uint64 // dropped, or in the dead letters
	Error                  string // of the last attempt, if it failed
}

// The files in the directory of a process.
const (
	countersName = "counters"
	goalName     = "goal" // number of events of each host, as text; the process follows changes
)

const interval = 50 * time.Millisecond

// Dir returns the state directory of a host.
func Dir(dir, host string) string { return filepath.Join(dir, host) }

// SetGoal makes the process of this directory append events until each host has had n.
func SetGoal(dir string, n uint64) error {
	return simhost.Replace(filepath.Join(dir, goalName), []byte(strconv.FormatUint(n, 10)))
}

// Read returns the counters of the process, which are zero before it has started.
func Read(dir string) (c Counters, err error) {
	text, err := os.ReadFile(filepath.Join(dir, countersName))
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(text, &c)
}

// Main is the function main of the process, which ends after SIGTERM.
func Main() {
	dir := flag.String("dir", "", "state `directory` of the process")
	config := flag.String("config", "", "`file` with the key sinks")
	names := flag.String("hosts", "", "`names` of the hosts, separated by commas")
	text := flag.Int("text", 80, "`bytes` of text in each event")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *dir, *config, strings.Split(*names, ","), *text); err != nil {
		fmt.Fprintln(os.Stderr, "hosts:", err)
		os.Exit(1)
	}
}

// A process is its hosts.
type process struct {
	dir   string
	names []string
	hosts []*simhost.Host
}

func run(ctx context.Context, dir, config string, names []string, text int) (err error) {
	yaml, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	p := &process{dir: dir, names: names}
	for _, name := range names {
		h, err := simhost.Open(simhost.Options{
			Dir: Dir(dir, name), Name: name, Config: string(yaml), Text: text, Keep: true, Log: log.With("host", name),
		})
		if err != nil {
			return errors.Join(err, p.close())
		}
		p.hosts = append(p.hosts, h)
		h.Start(ctx)
	}
	return errors.Join(p.follow(ctx), p.close(), p.write(true))
}

// follow appends events up to the goal, until ctx ends.
func (p *process) follow(ctx context.Context) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		goal, err := p.goal()
		if err != nil {
			return err
		}
		for _, h := range p.hosts {
			if err := h.Fill(goal); err != nil {
				return err
			}
		}
		if err := p.write(false); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (p *process) goal() (uint64, error) {
	text, err := os.ReadFile(filepath.Join(p.dir, goalName))
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(text), 10, 64)
}

func (p *process) write(stopped bool) error {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return err
	}
	c := Counters{
		Pid: os.Getpid(), CPU: time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), MaxRSS: usage.Maxrss << 10, Stopped: stopped,
	}
	for i, h := range p.hosts {
		c.Hosts = append(c.Hosts, countersOf(p.names[i], h))
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return simhost.Replace(filepath.Join(p.dir, countersName), text)
}

func countersOf(name string, h *simhost.Host) Host {
	total := h.Total()
	return Host{
		Name: name, Journaled: h.Count(), Undelivered: h.Undelivered(), Failures: total.Failures,
		Lost: total.DeadLettered + total.Dropped, Error: total.Error,
	}
}

// close stops all hosts.
func (p *process) close() (err error) {
	for _, h := range p.hosts {
		err = errors.Join(err, h.Close(time.Second))
	}
	return err
}
