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
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/origin"
)

// DumpJournal writes each record of a journal to out as one line: an event as the
// sinks write it, with the boot that it was received in, if that is known; anything
// else with its bytes. It ends at the first failed write.
func DumpJournal(dir string, out io.Writer) (journal.Summary, error) {
	host, err := os.Hostname()
	if err != nil {
		return journal.Summary{}, fmt.Errorf("host name: %w", err)
	}
	var line []byte
	var decode delivery.Decoder
	return journal.Dump(dir, func(id string, r journal.Record) error {
		if decode == nil {
			// Without the file, which is in the state directory, the boots are not known.
			boots, _ := origin.Read(filepath.Join(filepath.Dir(filepath.Clean(dir)), bootsName), id)
			decode = decoder(id, host, boots.Table(event.Origin{}, true, true).Of)
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
