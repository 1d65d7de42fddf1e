// SPDX-License-Identifier: Apache-2.0

package file

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/internal/tmpfs"
)

// The file or the position is on a file system that is read-only for a while. Each event is
// then written exactly once.
func TestReadOnlyFileSystemCausesNoDuplicates(t *testing.T) {
	for _, name := range []string{"events", "position"} {
		t.Run(name, func(t *testing.T) {
			dir := tmpfs.Mount(t, "size=1m")
			paths := map[string]string{"events": filepath.Join(t.TempDir(), "events"), "position": filepath.Join(t.TempDir(), "position")}
			paths[name] = filepath.Join(dir, name)
			config, env := Config{Path: paths["events"], Fsync: fsyncBatch}, sink.Env{Position: paths["position"]}
			s := openWith(t, config, env)
			deliver(t, s, events(1, 3))
			if err := s.Close(); err != nil { // an open file prevents the remount
				t.Fatal(err)
			}
			tmpfs.Remount(t, dir, unix.MS_RDONLY, "")
			s = openWith(t, config, env)
			for range 3 {
				if n, err := s.Deliver(t.Context(), events(2, 5)); n != 0 || !errors.Is(err, unix.EROFS) {
					t.Errorf("accepted %d, %v", n, err)
				}
			}
			wantIDs(t, config.Path, 1, 2, 3)
			tmpfs.Remount(t, dir, 0, "")
			deliver(t, s, events(2, 5)) // delivery had not learned that 2 and 3 were accepted
			wantIDs(t, config.Path, 1, 2, 3, 4, 5)
		})
	}
}
