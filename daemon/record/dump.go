// SPDX-License-Identifier: Apache-2.0

package record

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/verify"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/daemon/statefile"
	"github.com/genltestd/genltestd/daemon/ynl"
)

// Dump writes each record of the journal in dir to out as one line of JSON, see
// Decoder.AppendJSON. Events show the host and the boot that received them if the file of
// package origin, next to dir, contains them, and otherwise the host of this machine. specOf
// is that of Decoder. Dump stops at the first failed write, and changes nothing.
func Dump(dir string, out io.Writer, specOf func(family string) *ynl.Spec) (verify.Summary, error) {
	host, err := os.Hostname()
	if err != nil {
		return verify.Summary{}, fmt.Errorf("host name: %w", err)
	}
	var decoder *Decoder
	var line []byte
	return verify.Dump(dir, func(id string, r segment.Record) error {
		if decoder == nil {
			decoder = dumpDecoder(dir, id, host)
			decoder.SpecOf = specOf
		}
		var err error
		if line, err = decoder.AppendJSON(line[:0], id, r); err != nil {
			return err
		}
		line = append(line, '\n')
		_, err = out.Write(line)
		return err
	})
}

// dumpDecoder returns the decoder of the journal in dir.
func dumpDecoder(dir, id, host string) *Decoder {
	path := filepath.Join(filepath.Dir(filepath.Clean(dir)), origin.FileName)
	// Without the file, the boot is unknown and the host is this machine.
	boots, _ := origin.Read(origin.Options{Files: statefile.Disk{}, Path: path, JournalID: id})
	table := boots.Table(event.Origin{}, true, true)
	return &Decoder{JournalID: id, OriginOf: func(seq uint64) (*event.Origin, string) {
		o, of := table.Of(seq)
		return o, cmp.Or(of, host)
	}}
}
