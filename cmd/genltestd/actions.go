// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/genltestd/genltestd/cmd/internal/plural"
	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// act does what an option asks for in place of the daemon, without root, kernel
// module or network. Output that cannot be written is a failure.
func act(o *options, stdout, stderr io.Writer) int {
	out := bufio.NewWriter(stdout)
	status := answer(o, out, stderr)
	if err := out.Flush(); err != nil {
		fmt.Fprintf(stderr, "genltestd: %v\n", err)
		return exitFailed
	}
	return status
}

func answer(o *options, out, stderr io.Writer) int {
	switch o.action {
	case "help":
		fmt.Fprint(out, usage)
		return exitOK
	case "version":
		fmt.Fprintf(out, "genltestd %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return exitOK
	case "print-default-config":
		fmt.Fprintf(out, "%s", config.Reference(sinks.Kinds()))
		return exitOK
	case "check-config":
		return checkConfig(o, out, stderr)
	}
	cfg, err := loadConfig(o.config, daemon.DefaultDirs())
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitConfig
	}
	if o.action == "test-rules" {
		return testRules(cfg, o.tests, out, stderr)
	}
	cfg.Print(out)
	return exitOK
}

// checkConfig checks the configuration with the rights of the service, as far as it can
// have them, and names what only the service can tell.
func checkConfig(o *options, out, stderr io.Writer) int {
	dirs := daemon.DefaultDirs() // before the user changes
	as, err := becomeChecker(o.as)
	if err != nil {
		fmt.Fprintf(stderr, "genltestd: %v\n", err)
		return exitUsage
	}
	cfg, err := loadConfig(o.config, dirs)
	var faults config.Errors
	if err == nil {
		err = daemon.Check(cfg, dirs)
	}
	if err != nil && !errors.As(err, &faults) {
		fmt.Fprintln(stderr, err)
		as.explain(err, stderr)
		return exitConfig
	}
	doubts := faults.Extract(func(f *config.FieldError) bool { return daemon.IsUnverifiable(f, as.service) })
	faults = faults.Extract(func(f *config.FieldError) bool { return !daemon.IsUnverifiable(f, as.service) })
	if cfg != nil {
		for _, w := range daemon.Warnings(cfg) {
			fmt.Fprintln(stderr, "warning:", w)
		}
	}
	for _, d := range doubts {
		fmt.Fprintf(stderr, "note: %v; only the service can tell\n", d)
	}
	if len(faults) > 0 {
		fmt.Fprintln(stderr, faults)
		as.explain(faults, stderr)
		return exitConfig
	}
	if as.note != "" && daemon.ReadsFiles(cfg) {
		fmt.Fprintln(stderr, "note:", as.note)
	}
	for _, f := range checkedFiles(cfg) {
		fmt.Fprintf(out, "%s: ok, %s\n", f.Name, plural.Count(f.Sinks, "sink"))
	}
	return exitOK
}

func checkedFiles(cfg *config.Config) []config.SourceFile {
	if files := cfg.Files(); len(files) > 0 {
		return files
	}
	return []config.SourceFile{{Name: filesOf(cfg), Sinks: len(cfg.Sinks)}}
}
