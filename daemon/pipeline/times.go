// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/genltestd/genltestd/daemon/statefile"
)

// readTimes reads a file that contains the times of sinks. A missing file is like an empty one. It sets a
// damaged file aside and returns the damage. lost is the effect for the text of that error.
func readTimes(files statefile.Files, path, lost string) (times map[string]time.Time, damaged, err error) {
	text, err := files.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if damaged = json.Unmarshal(text, &times); damaged == nil {
		return times, nil, nil
	}
	if err := files.SetAside(path); err != nil {
		return nil, nil, errors.Join(damaged, err)
	}
	return nil, fmt.Errorf("%s: %w: it is now %[1]s.damaged, and %[3]s", path, damaged, lost), nil
}

func writeTimes(files statefile.Files, path string, times map[string]time.Time) error {
	text, err := json.Marshal(times)
	if err != nil {
		return err
	}
	return files.Replace(path, text)
}
