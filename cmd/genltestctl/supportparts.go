// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/event"
)

// unitName is the unit whose files and log lines are collected.
const unitName = "genltestd"

// logLines is the number of log lines that are collected.
const logLines = "1000"

// A supportPart is one file of the archive.
type supportPart struct {
	name    string
	collect func(context.Context) ([]byte, error)
}

// collectIn collects the part, unless the time for all parts is over.
func (p *supportPart) collectIn(ctx context.Context) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("the parts before it have needed %s, which is the time for all", supportTime)
	}
	return p.collect(ctx)
}

// A supporter collects parts.
type supporter struct {
	*session
	silent bool // the daemon has not answered in time, and is not asked again
}

var errSilent = errors.New("not asked: the daemon has not answered an earlier request in time")

// ask sends a request to the daemon, unless it has not answered an earlier one in time. The error contains
// the remedy.
func (s *supporter) ask(request func() error) error {
	if s.silent {
		return errSilent
	}
	err := request()
	if err == nil {
		return nil
	}
	s.silent = errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
	explained, _ := s.explain(err)
	return errors.New(explained)
}

func (s *supporter) text(ctx context.Context, request func(*api.Client, context.Context) ([]byte, error)) (text []byte, err error) {
	err = s.ask(func() error { text, err = request(s.client(), ctx); return err })
	return text, err
}

func (s *supporter) status(ctx context.Context) (st *api.Status, err error) {
	err = s.ask(func() error { st, err = s.client().Status(ctx); return err })
	return st, err
}

func (s *supporter) parts() []supportPart {
	daemon := func(request func(*api.Client, context.Context) ([]byte, error)) func(context.Context) ([]byte, error) {
		return func(ctx context.Context) ([]byte, error) { return s.text(ctx, request) }
	}
	return []supportPart{
		{"versions.txt", s.collectVersions},
		{"os-release", func(context.Context) ([]byte, error) { return osRelease() }},
		{"systemd-version.txt", func(ctx context.Context) ([]byte, error) { return runProgram(ctx, "systemctl", "--version") }},
		{"unit.txt", collectUnit},
		{"config.yaml", daemon((*api.Client).Config)},
		{"status.json", s.collectStatus},
		{"metrics.txt", daemon((*api.Client).Metrics)},
		{"goroutines.txt", daemon((*api.Client).Stacks)},
		{"log.txt", collectLog},
		{"journal-files.txt", s.collectJournalFiles},
	}
}

// collectVersions returns the versions of the programs and of the kernel. An unknown version of the
// daemon does not hide the others.
func (s *supporter) collectVersions(ctx context.Context) ([]byte, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, fmt.Errorf("uname: %w", err)
	}
	daemon := ""
	st, err := s.status(ctx)
	if err != nil {
		daemon = "unknown: " + err.Error()
	} else {
		daemon = fmt.Sprintf("%s, process %d, started %s", st.Version, st.PID, st.Started.UTC().Format(time.RFC3339))
	}
	var b bytes.Buffer
	for _, field := range [][2]string{
		{"genltestctl", fmt.Sprintf("%s (%s %s/%s)", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)},
		{"genltestd", daemon},
		{"kernel", strings.Join([]string{
			unix.ByteSliceToString(name.Sysname[:]), unix.ByteSliceToString(name.Release[:]),
			unix.ByteSliceToString(name.Version[:]), unix.ByteSliceToString(name.Machine[:]),
		}, " ")},
	} {
		fmt.Fprintf(&b, "%-11s  %s\n", field[0], visible(field[1]))
	}
	return b.Bytes(), nil
}

// osRelease returns the description of the distribution, from the places of os-release(5).
func osRelease() ([]byte, error) {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		var second error
		if text, second = os.ReadFile("/usr/lib/os-release"); second != nil {
			return nil, err
		}
	}
	return text, nil
}

func collectUnit(ctx context.Context) ([]byte, error) {
	text, err := runProgram(ctx, "systemctl", "cat", "--no-pager", unitName)
	if err != nil {
		return nil, err
	}
	return maskUnit(text), nil
}

// collectStatus returns the status without texts that may quote an event.
func (s *supporter) collectStatus(ctx context.Context) ([]byte, error) {
	st, err := s.status(ctx)
	if err != nil {
		return nil, err
	}
	for _, part := range st.Parts {
		if strings.HasPrefix(part.Name, "delivery") {
			maskFaults(part.Faults)
		}
	}
	for i := range st.Sinks {
		maskFaults(st.Sinks[i].Faults)
		st.Sinks[i].LastError = maskQuotes(st.Sinks[i].LastError)
	}
	text, err := json.Marshal(st)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, event.AppendVisibleJSON(nil, text), "", "  ")
	b.WriteByte('\n')
	return b.Bytes(), err
}

// collectJournalFiles lists the files of the journal.
func (s *supporter) collectJournalFiles(ctx context.Context) ([]byte, error) {
	dir, err := "", error(nil)
	if st, failed := s.status(ctx); failed == nil && st.Journal.Path != "" {
		dir = st.Journal.Path
	} else {
		dir, err = (&journalOptions{}).journalDir()
	}
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintln(&b, visible(dir))
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil { // the daemon has removed it
			fmt.Fprintf(&b, "%s: %v\n", visible(entry.Name()), err)
			continue
		}
		fmt.Fprintf(&b, "%s %12d %s %s\n", info.Mode(), info.Size(), info.ModTime().UTC().Format(time.RFC3339), visible(entry.Name()))
	}
	return b.Bytes(), nil
}
