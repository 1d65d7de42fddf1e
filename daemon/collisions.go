// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sink"
)

// An area is a path that something already occupies.
type area struct {
	path   string // without symbolic links
	within bool   // everything below path belongs to it too
	owner  string
	makes  func(name string) bool // other files in its directory that belong to it too; nil without any
}

func (a area) holds(path string) bool {
	if a.makes != nil && filepath.Dir(path) == filepath.Dir(a.path) && a.makes(filepath.Base(path)) {
		return true
	}
	return path == a.path || a.within && strings.HasPrefix(path, strings.TrimSuffix(a.path, "/")+"/")
}

// A claim is a path that a key of the configuration contains.
type claim struct {
	key   string // such as sinks[0].file.path
	path  string
	owner string // in errors about later claims
	made  sink.Claim
}

// collisions returns a fault for each key whose path belongs to the daemon, to its
// configuration, or to another sink. Two writers of one file destroy each other's data, and
// a sink at the control socket prevents the daemon from starting. Existing symbolic links
// are followed.
func collisions(cfg *config.Config, dirs Dirs) (faults config.Errors) {
	taken := append(dirs.areas(), configurationAreas(cfg)...)
	taken = append(taken, inputAreas(cfg)...)
	if fault := journalFault(cfg, dirs, taken); fault != nil {
		faults = append(faults, fault)
	}
	for _, dir := range []string{dirs.journal(), JournalDir(&cfg.Journal, dirs)} {
		taken = append(taken, area{realPath(dir), true, "the journal", nil})
	}
	for _, c := range sinkClaims(cfg) {
		if c.path == "" {
			continue // the key already has a fault
		}
		wanted := area{realPath(c.path), false, c.owner, c.made.Makes}
		if p := firstHolder(taken, wanted.path); p != nil {
			faults = append(faults, cfg.Fault(c.key, "%q belongs to %s; choose another path", c.path, p.owner))
			continue
		}
		if i := slices.IndexFunc(taken, func(a area) bool { return wanted.holds(a.path) }); i >= 0 {
			faults = append(faults, cfg.Fault(c.key, "%q has rotated files, of which %q belongs to %s; choose another path",
				c.path, taken[i].path, taken[i].owner))
			continue
		}
		taken = append(taken, wanted)
	}
	return append(faults, peerFaults(cfg, dirs)...)
}

func firstHolder(taken []area, path string) *area {
	for i := range taken {
		if taken[i].holds(path) {
			return &taken[i]
		}
	}
	return nil
}

// journalFault returns a fault if journal.path is not a directory of the journal's own.
func journalFault(cfg *config.Config, dirs Dirs, taken []area) *config.FieldError {
	if cfg.Journal.Path == "" {
		return nil
	}
	fault := func(format string, args ...any) *config.FieldError {
		const remedy = "give the journal a directory of its own, such as /srv/genltestd/journal"
		return cfg.Fault("journal.path", "%q %s; %s", cfg.Journal.Path, fmt.Sprintf(format, args...), remedy)
	}
	path := realPath(cfg.Journal.Path)
	if path == "/" {
		return fault("is the root directory")
	}
	if p := firstHolder(taken, path); p != nil {
		return fault("belongs to %s", p.owner)
	}
	others := append(taken,
		area{realPath(dirs.State), true, "the state directory", nil}, area{realPath(dirs.Runtime), true, "the runtime directory", nil})
	for _, other := range others {
		if (area{path: path, within: true}).holds(other.path) {
			return fault("contains %s", other.owner)
		}
	}
	return nil
}

// journalDirFault reports why journal.Open would reject the directory at journal.path because
// of its files, or why that is not known.
func journalDirFault(cfg *config.Config) *config.FieldError {
	if cfg.Journal.Path == "" {
		return nil
	}
	err := journal.Probe(cfg.Journal.Path)
	if err == nil {
		return nil
	}
	format := "%q cannot contain the journal: %v"
	if errors.Is(err, unix.ENOTDIR) {
		format += "; write the path of a directory, such as /srv/genltestd/journal"
	}
	fault := cfg.Fault("journal.path", format, cfg.Journal.Path, err)
	fault.Cause = err
	return fault
}

// configurationAreas returns the main file, which need not exist, and the directory of its
// drop-ins.
func configurationAreas(cfg *config.Config) []area {
	file, dropIns := cfg.Locations()
	if file == "" {
		return nil
	}
	return []area{
		{realPath(file), false, "the configuration", nil},
		{realPath(dropIns), true, "the configuration", nil},
	}
}

// inputAreas returns the files that the daemon reads for sinks and families.
func inputAreas(cfg *config.Config) (all []area) {
	add := func(path, owner string) {
		if path != "" {
			all = append(all, area{realPath(path), false, owner, nil})
		}
	}
	cfg.EachSecret(func(key string, s value.Secret) { add(s.File, "the secret of "+key) })
	cfg.EachTLS(func(key string, t *value.TLS) {
		owner := "the TLS settings of " + key[:strings.IndexByte(key, '.')]
		for _, file := range []value.TLSFile{t.CA, t.Cert, t.Key} {
			add(file.File, owner)
		}
	})
	for _, f := range cfg.Families {
		add(f.Spec, "the specification of "+f.Name)
	}
	return all
}

// ReadsFiles reports whether sinks or families require files that the operator provides.
func ReadsFiles(cfg *config.Config) bool { return len(inputAreas(cfg)) > 0 }
