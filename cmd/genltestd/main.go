// SPDX-License-Identifier: Apache-2.0

// Command genltestd bridges the multicast events of the generic netlink family
// genltest to other systems.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon"
	"github.com/genltestd/genltestd/daemon/liblog"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sinks"
	"github.com/genltestd/genltestd/daemon/systemd"
)

// version is set by the linker.
var version = "devel"

// Exit statuses; the last three are those of sysexits.h.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 64
	exitNoInput = 66
	exitConfig  = 78
)

const defaultConfig = "/etc/genltestd.yaml"

func main() {
	hideMemory(os.Stderr) // before there is a secret in it
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// daemon runs the daemon until it is stopped, and returns the exit status.
func (p *program) daemon() int {
	file := p.options.config
	fingerprint := config.Fingerprint(cmp.Or(file, defaultConfig)) // before reading: no change is missed
	dirs := daemon.DefaultDirs()
	cfg, err := loadConfig(file, dirs)
	if err != nil {
		fmt.Fprintln(p.stderr, err)
		return exitConfig
	}
	level := new(slog.LevelVar)
	level.Set(slog.Level(cfg.Log.Level))
	return serve(cfg, p.stdout, systemd.NewLogger(p.stderr, level), daemon.Options{
		Level: level, Source: newSource(file, cfg, dirs),
		Fingerprint: fingerprint, Dirs: dirs,
	})
}

// loadConfig reads the file asked for, and its drop-ins. Only the default one may be
// missing.
func loadConfig(file string, dirs daemon.Dirs) (*config.Config, error) {
	if file == "" {
		return load(config.LoadOptional, defaultConfig, dirs)
	}
	return load(config.Load, file, dirs)
}

// A reader is a function of package config.
type reader func(path string, kinds []sink.Kind) (*config.Config, error)

// load reads a configuration. When its text has faults, the error has those of the rest
// too, so that all can be repaired at once, and the configuration is for warnings alone.
func load(read reader, path string, dirs daemon.Dirs) (*config.Config, error) {
	cfg, err := read(path, sinks.Kinds())
	var faults config.Errors
	switch {
	case errors.As(err, &faults):
		return cfg, daemon.CheckRest(cfg, faults, dirs)
	case err != nil:
		return nil, err
	}
	return cfg, nil
}

// filesOf names the files of a configuration, on one line.
func filesOf(cfg *config.Config) string {
	var names []string
	for _, f := range cfg.Files() {
		names = append(names, f.Name)
	}
	return cmp.Or(strings.Join(names, ", "), "built-in defaults")
}

func serve(cfg *config.Config, stdout io.Writer, log *slog.Logger, opts daemon.Options) int {
	// A closed pipe on a sink's stream, or a restart of the journal, is that sink's
	// error and not the end of the process. Caught and not ignored, which the programs
	// of a sink would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	hangup := make(chan os.Signal, 1) // before anything that a hangup could end
	signal.Notify(hangup, syscall.SIGHUP)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal has its default effect

	defer liblog.Capture(log)() // before a library logs
	log.Info("starting", "version", version, "config", filesOf(cfg))
	opts.Version, opts.Stdout, opts.Log = version, stdout, log
	d, err := daemon.New(cfg, opts)
	if err == nil {
		go reload(ctx, hangup, d, log)
		err = d.Run(ctx)
	}
	var faults config.Errors
	switch {
	case errors.As(err, &faults): // New has logged them
		return exitConfig
	case err != nil:
		log.Error("genltestd failed", "error", err)
		return exitFailed
	}
	log.Info("stopped")
	return exitOK
}

// reload answers each SIGHUP, until the process ends.
func reload(ctx context.Context, hangup <-chan os.Signal, d *daemon.Daemon, log *slog.Logger) {
	for range hangup {
		log.Info("SIGHUP: the sinks' files are reopened, the configuration is reloaded")
		d.ReopenFiles()
		_, _ = d.Reload(ctx) // it is in the log
	}
}
