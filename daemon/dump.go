// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
)

// DumpJournal writes each record of a journal to out as one line: an event as the
// sinks write it, anything else with its bytes. It ends at the first failed write.
func DumpJournal(dir string, out io.Writer) (journal.Summary, error) {
	host, err := os.Hostname()
	if err != nil {
		return journal.Summary{}, fmt.Errorf("host name: %w", err)
	}
	var line []byte
	return journal.Dump(dir, func(id string, r journal.Record) error {
		if e, err := decoder(id, host)(r); err == nil {
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
