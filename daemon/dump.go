// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/genltestd/genltestd/daemon/delivery"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/verify"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/daemon/statefile"
)

// DumpJournal writes each record of a journal to out as one line: an event as the
// sinks write it, with the host and the boot that it was received on, if they are known;
// anything else with its bytes. It ends at the first failed write.
func DumpJournal(dir string, out io.Writer) (verify.Summary, error) {
	host, err := os.Hostname()
	if err != nil {
		return verify.Summary{}, fmt.Errorf("host name: %w", err)
	}
	var table *origin.Table
	originOf := func(seq uint64) (o *event.Origin, of string) {
		if o, of = table.Of(seq); of == "" {
			of = host
		}
		return o, of
	}
	var line []byte
	var decode delivery.Decoder
	return verify.Dump(dir, func(id string, r segment.Record) error {
		if decode == nil {
			// Without the file, which is in the state directory, hosts and boots are not known.
			boots, _ := origin.Read(origin.Options{
				Files: statefile.Disk{}, Path: filepath.Join(filepath.Dir(filepath.Clean(dir)), bootsName), JournalID: id,
			})
			table = boots.Table(event.Origin{}, true, true)
			decode = decoder(id, originOf)
		}
		if e, err := decode(r); err == nil {
			line = e.AppendJSON(line[:0])
		} else if line, err = undecodable(&e, r.Data, err); err != nil {
			return err
		}
		line = append(line, '\n')
		_, err := out.Write(line)
		return err
	})
}

// undecodable is safe to show: the only text from outside is in base64.
func undecodable(e *event.Event, data []byte, err error) ([]byte, error) {
	return json.Marshal(struct {
		ID     string    `json:"id"`
		Seq    uint64    `json:"seq"`
		Time   time.Time `json:"time"`
		Error  string    `json:"error"`
		Record []byte    `json:"record_base64"`
	}{e.ID(), e.Seq, e.Time.UTC(), err.Error(), data})
}
