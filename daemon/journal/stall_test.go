// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/layout"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/state"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// A slowDisk delays an fsync of one kind of file.
type slowDisk struct {
	*memfs.FS
	kind    func(name string) bool // of the base name
	slow    atomic.Bool            // the next one
	entered chan struct{}          // such an fsync has begun
	release chan struct{}          // closed: it may end
}

type slowFile struct {
	vfs.File
	disk *slowDisk
}

func (d *slowDisk) Open(name string, flags int) (vfs.File, error) {
	f, err := d.FS.Open(name, flags)
	if err == nil && d.kind(path.Base(name)) {
		f = slowFile{f, d}
	}
	return f, err
}

func (f slowFile) Sync() error {
	if f.disk.slow.CompareAndSwap(true, false) {
		f.disk.entered <- struct{}{}
		<-f.disk.release
	}
	return f.File.Sync()
}

// TestAppendDoesNotWaitForTheMaintainer: the receive buffer holds the events of a tenth
// of a second at full speed. A busy disk may need longer than that.
func TestAppendDoesNotWaitForTheMaintainer(t *testing.T) {
	tests := map[string]func(name string) bool{
		"that makes a segment durable": func(name string) bool { return strings.HasSuffix(name, segment.Suffix) },
		"that reserves numbers":        func(name string) bool { return strings.HasPrefix(name, layout.StateName) },
	}
	for name, kind := range tests {
		t.Run(name, func(t *testing.T) {
			disk := &slowDisk{FS: memfs.New(), kind: kind, entered: make(chan struct{}), release: make(chan struct{})}
			j := open(t, "/j", still(disk))
			if err := j.Append(1, epoch, make([][]byte, state.ReserveStep/2+1)); err != nil {
				t.Fatal(err)
			}
			disk.slow.Store(true)
			tended := make(chan error, 1)
			go func() { tended <- j.syncer.maintain() }()
			<-disk.entered
			appended := make(chan error, 1)
			go func() { appended <- j.Append(2, epoch, batchOf("not kept waiting")) }()
			select {
			case err := <-appended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(time.Minute):
				t.Error("Append waits for the maintainer")
			}
			close(disk.release)
			if err := <-tended; err != nil {
				t.Error(err)
			}
		})
	}
}
