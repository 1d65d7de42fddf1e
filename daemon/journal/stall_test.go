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
	kind      func(name string) bool // selects files by their base name
	delayNext atomic.Bool            // delays the next fsync
	entered   chan struct{}          // receives a value when the fsync begins
	release   chan struct{}          // is closed to end the fsync
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
	if f.disk.delayNext.CompareAndSwap(true, false) {
		f.disk.entered <- struct{}{}
		<-f.disk.release
	}
	return f.File.Sync()
}

// TestAppendDoesNotWaitForMaintainer: the receive buffer can store the events of a
// tenth of a second at full speed. An fsync on a busy disk may take longer.
func TestAppendDoesNotWaitForMaintainer(t *testing.T) {
	tests := map[string]func(name string) bool{
		"that makes a segment durable": func(name string) bool { return strings.HasSuffix(name, segment.Suffix) },
		"that reserves numbers":        func(name string) bool { return strings.HasPrefix(name, layout.StateName) },
	}
	for name, kind := range tests {
		t.Run(name, func(t *testing.T) {
			disk := &slowDisk{FS: memfs.New(), kind: kind, entered: make(chan struct{}), release: make(chan struct{})}
			j := open(t, "/j", manualOptions(disk))
			if err := j.Append(nil, epoch, make([][]byte, state.ReserveStep/2+1)); err != nil {
				t.Fatal(err)
			}
			disk.delayNext.Store(true)
			maintained := make(chan error, 1)
			go func() { maintained <- j.syncer.maintain() }()
			<-disk.entered
			appended := make(chan error, 1)
			go func() { appended <- j.Append(nil, epoch, batchOf("not kept waiting")) }()
			select {
			case err := <-appended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(time.Minute):
				t.Error("Append waits for the maintainer")
			}
			close(disk.release)
			if err := <-maintained; err != nil {
				t.Error(err)
			}
		})
	}
}
