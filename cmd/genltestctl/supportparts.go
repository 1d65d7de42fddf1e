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

func (s *session) supportParts() []supportPart {
	return []supportPart{
		{"versions.txt", s.collectVersions},
		{"os-release", func(context.Context) ([]byte, error) { return osRelease() }},
		{"systemd-version.txt", func(ctx context.Context) ([]byte, error) { return runProgram(ctx, "systemctl", "--version") }},
		{"unit.txt", collectUnit},
		{"config.yaml", func(ctx context.Context) ([]byte, error) { return s.answer(s.client().Config(ctx)) }},
		{"status.json", s.collectStatus},
		{"metrics.txt", func(ctx context.Context) ([]byte, error) { return s.answer(s.client().Metrics(ctx)) }},
		{"goroutines.txt", func(ctx context.Context) ([]byte, error) { return s.answer(s.client().Stacks(ctx)) }},
		{"log.txt", collectLog},
		{"journal-files.txt", s.collectJournalFiles},
	}
}

// answer returns an answer of the daemon, or the error with its remedy.
func (s *session) answer(text []byte, err error) ([]byte, error) {
	if err != nil {
		explained, _ := s.explain(err)
		return nil, errors.New(explained)
	}
	return text, nil
}

// collectVersions returns the versions of the programs and of the kernel. An unknown version of the
// daemon does not hide the others.
func (s *session) collectVersions(ctx context.Context) ([]byte, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, fmt.Errorf("uname: %w", err)
	}
	daemon := ""
	st, err := s.client().Status(ctx)
	if err != nil {
		text, _ := s.explain(err)
		daemon = "unknown: " + text
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
func (s *session) collectStatus(ctx context.Context) ([]byte, error) {
	st, err := s.client().Status(ctx)
	if err != nil {
		return s.answer(nil, err)
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
func (s *session) collectJournalFiles(ctx context.Context) ([]byte, error) {
	dir, err := s.journalDir(ctx, &journalOptions{}, "")
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
