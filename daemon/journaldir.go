// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/verify"
)

// errEnough ends a dump: the first record proves that there is a journal.
var errEnough = errors.New("enough")

// journalDirFault reports why journal.Open would reject the directory at journal.path. It
// changes nothing, and another process may have the journal open. A directory that cannot be
// read is a fault of its own: it may hold a journal.
func journalDirFault(cfg *config.Config) *config.FieldError {
	const key = "journal.path"
	path := cfg.Journal.Path
	if path == "" {
		return nil
	}
	_, err := verify.Dump(path, func(string, segment.Record) error { return errEnough })
	switch {
	case err == nil, errors.Is(err, errEnough), errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, unix.ENOTDIR):
		return cfg.Fault(key, "%q is not a directory; give the journal a directory of its own, such as /srv/genltestd/journal", path)
	case !errors.Is(err, journal.ErrForeign):
		fault := cfg.Fault(key, "cannot look for a journal in the directory: %v", err)
		fault.Cause = err
		return fault
	case isUnused(path):
		return nil
	}
	const remedy = "give the journal an empty directory of its own, such as /srv/genltestd/journal"
	return cfg.Fault(key, "%q contains files, and is not a journal; %s", path, remedy)
}

// isUnused reports whether a directory is empty, apart from files that a file system or a
// rejected start creates. The journal accepts such a directory.
func isUnused(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		leftovers := []string{"lost+found", "lock", "state", "quarantine"}
		return !slices.Contains(leftovers, e.Name()) && !strings.HasSuffix(e.Name(), ".tmp")
	})
}
