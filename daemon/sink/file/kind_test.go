// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// destination is a file. While it is broken, a directory has its name.
type destination struct{ path string }

func (p destination) Stored(t *testing.T) (stored []sinktest.StoredEvent) {
	text, err := os.ReadFile(p.path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		stored = append(stored, sinktest.ParseJSON(t, line))
	}
	return stored
}

func (p destination) Break(t *testing.T) {
	if err := os.Rename(p.path, p.path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(p.path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func (p destination) Repair(t *testing.T) {
	if err := os.Remove(p.path); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(p.path+".away", p.path); err != nil {
		t.Fatal(err)
	}
}

func TestKind(t *testing.T) {
	sinktest.Run(t, sinktest.Kind{Once: true, New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
		p := destination{filepath.Join(t.TempDir(), "events.jsonl")}
		s := New(&Config{Path: p.path, Mode: 0o640}, sink.Env{Encoder: event.JSON{}, Position: p.path + ".position"})
		t.Cleanup(func() { s.Close() })
		return s, p
	}})
}
