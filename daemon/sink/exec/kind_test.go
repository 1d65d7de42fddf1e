// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// destination is a directory with the file to which a program writes lines, and the file
// that makes it reject them.
type destination struct{ dir string }

func newDestination(t *testing.T) destination { return destination{t.TempDir()} }

func (p destination) file() string   { return filepath.Join(p.dir, "events") }
func (p destination) broken() string { return filepath.Join(p.dir, "broken") }

func (p destination) Stored(t *testing.T) (stored []sinktest.StoredEvent) {
	text, err := os.ReadFile(p.file())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		stored = append(stored, sinktest.ParseJSON(t, line))
	}
	return stored
}

func (p destination) Break(t *testing.T) { writeFile(t, p.broken(), "") }

func (p destination) Repair(t *testing.T) {
	if err := os.Remove(p.broken()); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

// shell returns the configuration of a sink that runs a script with arguments.
func shell(script string, args ...string) *Config {
	return &Config{
		Argv:  append([]string{"/bin/sh", "-c", script, "sh"}, args...),
		Grace: value.Duration(100 * time.Millisecond), Timeout: value.Duration(5 * time.Second), Concurrency: 1,
	}
}

func jsonEnv() sink.Env { return sink.Env{Encoder: event.JSON{}} }

func newEvents(c *Config) *Events { return NewEvents(c, jsonEnv()) }

// A real program writes what it reads.
const (
	appendEvent = `[ ! -e "$1" ] || exit 75; IFS= read -r line; printf '%s\n' "$line" >>"$2"`
	appendLines = `exec 3>>"$2"; while IFS= read -r line; do
		if [ -e "$1" ]; then echo "retry - broken"; else printf '%s\n' "$line" >&3; echo "ok -"; fi
	done`
)

func TestKindEvents(t *testing.T) {
	for name, concurrency := range map[string]int{"one": 1, "four": 4} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, sinktest.Kind{
				Hostile:   1000, // a process each
				Unordered: concurrency > 1,
				New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
					p := newDestination(t)
					config := shell(appendEvent, p.broken(), p.file())
					config.Concurrency = concurrency
					return newEvents(config), p
				},
			})
		})
	}
}

func TestKindStream(t *testing.T) {
	sinktest.Run(t, sinktest.Kind{
		Hostile: 20_000, // the number that a shell handles in a few seconds
		New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
			p := newDestination(t)
			return newStream(t, shell(appendLines, p.broken(), p.file())), p
		},
	})
}

func newStream(t *testing.T, c *Config) *Stream {
	t.Helper()
	s := NewStream(c, jsonEnv())
	t.Cleanup(func() { s.Close() })
	return s
}
