// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"runtime"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon"
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
		fmt.Fprintf(out, "%s", config.Reference())
		return exitOK
	}
	cfg, err := loadConfig(o.config)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitConfig
	}
	switch o.action {
	case "test-rules":
		return testRules(cfg, o.tests, out, stderr)
	case "print-config":
		cfg.Print(out)
		return exitOK
	}
	return checkConfig(cfg, out, stderr)
}

func checkConfig(cfg *config.Config, out, stderr io.Writer) int {
	if err := daemon.Check(cfg); err != nil {
		fmt.Fprintln(stderr, err)
		return exitConfig
	}
	for _, w := range daemon.Warnings(cfg) {
		fmt.Fprintln(stderr, "warning:", w)
	}
	for _, d := range daemon.Doubts(cfg) {
		fmt.Fprintf(stderr, "note: %v; only the service can tell\n", d)
	}
	files := cfg.Files()
	if len(files) == 0 {
		files = []config.SourceFile{{Name: filesOf(cfg), Sinks: len(cfg.Sinks)}}
	}
	for _, f := range files {
		fmt.Fprintf(out, "%s: ok, %d sinks\n", f.Name, f.Sinks)
	}
	return exitOK
}
