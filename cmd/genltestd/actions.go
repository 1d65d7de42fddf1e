// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/genltestd/genltestd/cmd/internal/plural"
	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon"
	"github.com/genltestd/genltestd/daemon/families"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// act does what an option asks for in place of the daemon, without root, kernel
// module or network, and returns the exit status.
func (p *program) act(action string) int {
	switch action {
	case "version":
		fmt.Fprintf(p.out, "genltestd %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return exitOK
	case "print-default-config":
		fmt.Fprintf(p.out, "%s", config.Reference(sinks.Kinds()))
		return exitOK
	case "check-config":
		return p.checkConfig()
	}
	cfg, err := loadConfig(p.options.config, daemon.DefaultDirs())
	if err != nil {
		fmt.Fprintln(p.stderr, err)
		return exitConfig
	}
	if action == "test-rules" {
		return testRules(cfg, p.options.tests[0], p.out, p.stderr)
	}
	cfg.Print(p.out)
	return exitOK
}

// checkConfig checks the configuration with the rights of the service, as far as this
// process can acquire them, and notes each fault that only the service can verify.
func (p *program) checkConfig() int {
	dirs := daemon.DefaultDirs() // before the user changes
	as, err := becomeChecker(p.options.as)
	if err != nil {
		fmt.Fprintf(p.stderr, "genltestd: %v\n", err)
		return exitUsage
	}
	cfg, err := loadConfig(p.options.config, dirs)
	var faults config.Errors
	if err == nil {
		err = daemon.Check(cfg, dirs)
	}
	if err != nil && !errors.As(err, &faults) {
		fmt.Fprintln(p.stderr, err)
		as.explain(err, p.stderr)
		return exitConfig
	}
	var warnings config.Errors
	if cfg != nil {
		var impossible config.Errors
		impossible, warnings = families.CheckKernel(cfg)
		faults = faults.Join(impossible.Extract(func(f *config.FieldError) bool { return !cfg.HasFault(f) }))
		warnings = daemon.Warnings(cfg).Join(warnings)
	}
	doubts := faults.Extract(func(f *config.FieldError) bool { return daemon.IsUnverifiable(f, as.service) })
	faults = faults.Extract(func(f *config.FieldError) bool { return !daemon.IsUnverifiable(f, as.service) })
	for _, w := range warnings {
		fmt.Fprintln(p.stderr, "warning:", w)
	}
	for _, d := range doubts {
		fmt.Fprintf(p.stderr, "note: %v; only the service can check this\n", d)
	}
	if len(faults) > 0 {
		fmt.Fprintln(p.stderr, faults)
		as.explain(faults, p.stderr)
		return exitConfig
	}
	if as.note != "" && daemon.ReadsFiles(cfg) {
		fmt.Fprintln(p.stderr, "note:", as.note)
	}
	for _, f := range checkedFiles(cfg) {
		fmt.Fprintf(p.out, "%s: ok, %s\n", f.Name, plural.Count(f.Sinks, "sink"))
	}
	return exitOK
}

func checkedFiles(cfg *config.Config) []config.SourceFile {
	if files := cfg.Files(); len(files) > 0 {
		return files
	}
	return []config.SourceFile{{Name: filesOf(cfg), Sinks: len(cfg.Sinks)}}
}
