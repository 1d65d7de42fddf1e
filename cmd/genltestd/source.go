// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon"
)

// A source is where a reload reads the configuration.
type source struct {
	path string
	load reader
	dirs daemon.Dirs
}

var _ daemon.Source = source{}

// newSource returns the source of cfg, which loadConfig has read. A default file that existed
// must remain: its removal does not request the built-in defaults.
func newSource(file string, cfg *config.Config, dirs daemon.Dirs) source {
	s := source{cmp.Or(file, defaultConfig), config.Load, dirs}
	if file == "" && !slices.ContainsFunc(cfg.Files(), func(f config.SourceFile) bool { return f.Name == defaultConfig }) {
		s.load = config.LoadOptional
	}
	return s
}

func (s source) Load() (*config.Config, error) {
	if config.IsStream(s.path) {
		return nil, fmt.Errorf("%s: a pipe cannot be read again; restart, or start with a file", s.path)
	}
	return load(s.load, s.path, s.dirs)
}

func (s source) Fingerprint() string { return config.Fingerprint(s.path) }
