// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

// An area is a path that something already occupies.
type area struct {
	path   string // without symbolic links
	within bool   // everything below path belongs to it too
	owner  string
}

func (a area) holds(path string) bool {
	return path == a.path || a.within && strings.HasPrefix(path, strings.TrimSuffix(a.path, "/")+"/")
}

// A claim is a path that a key of the configuration asks for.
type claim struct {
	key   string // such as sinks[0].file.path
	path  string
	owner string // how a later claim calls this one
}

// collisions reports the keys whose path belongs to something else: to the daemon, to
// its configuration, or to another sink. Two writers at one place destroy each other's
// data, and a sink at the control socket stops the daemon from starting. Symbolic links
// are followed as far as they exist.
func collisions(cfg *config.Config, dirs Dirs) (faults config.Errors) {
	taken := append(dirs.places(), configurationPlaces(cfg)...)
	taken = append(taken, secretPlaces(cfg)...)
	if fault := journalFault(cfg, dirs, taken); fault != nil {
		faults = append(faults, fault)
	}
	for _, dir := range []string{dirs.journal(), JournalDir(&cfg.Journal, dirs)} {
		taken = append(taken, area{realPath(dir), true, "the journal"})
	}
	for _, c := range sinkClaims(cfg) {
		if c.path == "" {
			continue // it has a fault already
		}
		path := realPath(c.path)
		if p := firstHolder(taken, path); p != nil {
			faults = append(faults, cfg.Fault(c.key, "%q belongs to %s; choose another path", c.path, p.owner))
			continue
		}
		taken = append(taken, area{path, false, c.owner})
	}
	for _, c := range peerClaims(cfg) {
		if realPath(c.path) == realPath(dirs.controlSocket()) {
			faults = append(faults, cfg.Fault(c.key, "%q is the daemon's own control socket; write the address of another program", c.path))
		}
	}
	return faults
}

func firstHolder(taken []area, path string) *area {
	for i := range taken {
		if taken[i].holds(path) {
			return &taken[i]
		}
	}
	return nil
}

// journalFault reports why the journal must not be at journal.path: its directory
// contains nothing else.
func journalFault(cfg *config.Config, dirs Dirs, taken []area) *config.FieldError {
	if cfg.Journal.Path == "" {
		return nil
	}
	fault := func(format string, args ...any) *config.FieldError {
		return cfg.Fault("journal.path", "%q %s; give the journal a directory of its own, such as /srv/genltestd/journal", cfg.Journal.Path, fmt.Sprintf(format, args...))
	}
	path := realPath(cfg.Journal.Path)
	if path == "/" {
		return fault("is the root directory")
	}
	if p := firstHolder(taken, path); p != nil {
		return fault("belongs to %s", p.owner)
	}
	others := append(taken,
		area{realPath(dirs.State), true, "the state directory"}, area{realPath(dirs.Runtime), true, "the runtime directory"})
	for _, other := range others {
		if (area{path: path, within: true}).holds(other.path) {
			return fault("contains %s", other.owner)
		}
	}
	return nil
}

// configurationPlaces are the main file, whether or not it exists, and its drop-ins.
func configurationPlaces(cfg *config.Config) []area {
	file, dropIns := cfg.Locations()
	if file == "" {
		return nil
	}
	return []area{
		{realPath(file), false, "the configuration"},
		{realPath(dropIns), true, "the configuration"},
	}
}

// secretPlaces are the files that the daemon reads for sinks.
func secretPlaces(cfg *config.Config) (all []area) {
	add := func(path, owner string) {
		if path != "" {
			all = append(all, area{realPath(path), false, owner})
		}
	}
	cfg.EachSecret(func(key string, s value.Secret) { add(s.File, "the secret of "+key) })
	cfg.EachTLS(func(key string, t *value.TLS) {
		owner := "the TLS settings of " + key[:strings.IndexByte(key, '.')]
		for _, file := range []value.TLSFile{t.CA, t.Cert, t.Key} {
			add(file.File, owner)
		}
	})
	return all
}

// ReadsFiles reports whether sinks need files that the operator provides.
func ReadsFiles(cfg *config.Config) bool { return len(secretPlaces(cfg)) > 0 }

// sinkClaims are the paths that sinks create.
func sinkClaims(cfg *config.Config) (all []claim) {
	for i := range cfg.Sinks {
		c := &cfg.Sinks[i]
		if claimer, ok := c.Config.(sink.Claimer); ok {
			for _, made := range claimer.Claims() {
				all = append(all, claim{fmt.Sprintf("sinks[%d].%s.%s", i, c.Kind, made.Key), made.Path, "the sink " + c.Name})
			}
		}
	}
	return all
}

// peerClaims are the sockets that sinks connect to.
func peerClaims(cfg *config.Config) (all []claim) {
	for i := range cfg.Sinks {
		c := &cfg.Sinks[i]
		if peer, ok := c.Config.(sink.Peer); ok {
			for _, socket := range peer.Peers() {
				all = append(all, claim{key: fmt.Sprintf("sinks[%d].%s.%s", i, c.Kind, socket.Key), path: socket.Path})
			}
		}
	}
	return all
}

// realPath resolves the symbolic links in a path of which the last parts need not
// exist. What cannot be resolved stays as it is: the comparison is then by name.
func realPath(path string) string {
	missing := ""
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, missing)
		}
		if at == filepath.Dir(at) {
			return filepath.Clean(path)
		}
		missing = filepath.Join(filepath.Base(at), missing)
	}
}
