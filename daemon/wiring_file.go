// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"io/fs"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/file"
)

func fileOptions(c *config.Sink, encoder event.Encoder, opts *Options) file.Options {
	r := &c.File.Rotate
	o := file.Options{
		Path: c.File.Path, Mode: fs.FileMode(c.File.Mode), Encoder: encoder, Fsync: c.File.Fsync == config.FsyncBatch,
		// Beside the journal's cursor of the same name, with which it makes sense.
		Position: opts.position(c.Name), BootID: opts.Machine.Boot.ID,
		Rotate: file.Rotate{
			MaxBytes: int64(r.MaxBytes), MaxAge: time.Duration(r.MaxAge), Compress: r.Compress == config.CompressGzip,
			KeepFiles: r.KeepFiles, KeepBytes: int64(r.KeepBytes), KeepAge: time.Duration(r.KeepAge),
		},
		Log: component(opts.Log, "sink").With("sink", c.Name),
	}
	if opts.clock != nil {
		o.Now, o.Age = opts.clock.Now, opts.clock.Age
	}
	return o
}

// position is the file in which a sink of kind file notes what it is about to append.
func (o *Options) position(sink string) string {
	return o.Dirs.position(sink)
}
