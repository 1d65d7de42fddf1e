// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// A killTest is one configuration of the sink in processes that are killed.
type killTest struct {
	encoder event.Encoder
	fsync   string
	rotate  Rotate
	text    func(t *testing.T, line []byte) string // of the event
}

var killTests = map[string]killTest{
	"json":         {encoder: event.JSON{}, fsync: fsyncBatch, text: textOfJSON},
	"raw":          {encoder: sinktest.Text{}, text: textOfRaw},
	"raw, rotated": {encoder: sinktest.Text{}, rotate: Rotate{MaxBytes: 300 << 10, Compress: compressGzip}, text: textOfRaw},
}

func textOfRaw(_ *testing.T, line []byte) string { return string(line) }

func textOfJSON(t *testing.T, line []byte) string {
	var e struct{ Message string }
	if err := json.Unmarshal(line, &e); err != nil {
		t.Fatalf("%v: %q", err, line)
	}
	return e.Message
}

// batch returns the texts of a generation. A kill can truncate only lines that cross the end of
// a page.
func batch(generation uint64) (texts [][]byte) {
	for i := range 1 + generation%20 {
		texts = append(texts, fmt.Appendf(nil, "%d.%d %s", generation, i, strings.Repeat("x", int(generation*7+i*131)%1500)))
	}
	return texts
}

// Processes deliver events from a journal to the sink, and are killed repeatedly at random
// times.
func TestKilledAtAnyInstructionWritesEachEventOnce(t *testing.T) {
	kills := 12
	if n, err := strconv.Atoi(os.Getenv("GENLTESTD_SOAK")); err == nil {
		kills = max(1000, n)
	}
	for name, l := range killTests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "events")
			started, processesThatWrote, most := 0, 0, 60*time.Millisecond
			for ; processesThatWrote < kills; started++ { // a process that has not written does not count
				if started == 20*kills {
					t.Fatalf("only %d of %d processes wrote anything", processesThatWrote, started)
				}
				before := written(t, path)
				child := killChild(t, dir, name, 0)
				time.Sleep(rand.N(most))
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				child.Wait() // it was killed
				if written(t, path) != before {
					processesThatWrote++
				} else {
					most += 5 * time.Millisecond // the process starts slowly on this machine
				}
			}
			last := lastGeneration(t, dir) + 10
			if err := killChild(t, dir, name, last).Wait(); err != nil {
				t.Fatalf("the last process: %v", err)
			}
			n := l.check(t, path, last)
			t.Logf("%d of %d killed processes wrote; %d events", processesThatWrote, started, n)
		})
	}
}

func killChild(t *testing.T, dir, name string, last uint64) *exec.Cmd {
	t.Helper()
	child := exec.Command("/proc/self/exe", "-test.run", "^TestKillChild$")
	child.Env = append(os.Environ(), "GENLTESTD_KILL_DIR="+dir, "GENLTESTD_KILL_LIFE="+name,
		"GENLTESTD_KILL_LAST="+strconv.FormatUint(last, 10))
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	return child
}

// written returns the number of events and of files.
func written(t *testing.T, path string) (state string) {
	t.Helper()
	all, err := listRotated(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Sprint(len(all))
	}
	return fmt.Sprint(len(all), info.Size())
}

func openJournal(t *testing.T, dir string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{MaxBytes: 1 << 30, Fsync: journal.FsyncNever})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func lastGeneration(t *testing.T, dir string) uint64 {
	t.Helper()
	j := openJournal(t, dir)
	defer j.Close()
	return j.Recovered()
}

// check requires all generations in order, and each event once.
func (l killTest) check(t *testing.T, path string, last uint64) (events int) {
	t.Helper()
	_, all := files(t, path)
	lines := bytes.Split([]byte(all), []byte{'\n'})
	for generation := uint64(1); generation <= last; generation++ {
		for _, want := range batch(generation) {
			if events == len(lines) {
				t.Fatalf("there are only %d events", events)
			}
			if got := l.text(t, lines[events]); got != string(want) {
				t.Fatalf("line %d has %.20q, want %.20q", events, got, want)
			}
			events++
		}
	}
	if rest := lines[events:]; len(rest) != 1 || len(rest[0]) > 0 {
		t.Fatalf("%d lines too many: %.100q", len(rest)-1, rest)
	}
	return events
}

func TestKillChild(t *testing.T) {
	dir := os.Getenv("GENLTESTD_KILL_DIR")
	if dir == "" {
		t.Skip("only as a child of TestKilledAtAnyInstructionWritesEachEventOnce")
	}
	l := killTests[os.Getenv("GENLTESTD_KILL_LIFE")]
	last, err := strconv.ParseUint(os.Getenv("GENLTESTD_KILL_LAST"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	j := openJournal(t, dir)
	go produce(t, j, last)
	s := New(&Config{Path: filepath.Join(dir, "events"), Mode: 0o600, Fsync: l.fsync, Rotate: l.rotate},
		sink.Env{Encoder: l.encoder, Position: filepath.Join(dir, "position")})
	l.consume(t, j, s)
	if err := errors.Join(s.Close(), j.Close()); err != nil {
		t.Fatal(err)
	}
}

// produce does not end when last is 0.
func produce(t *testing.T, j *journal.Journal, last uint64) {
	for generation := j.Recovered() + 1; last == 0 || generation <= last; generation++ {
		if err := j.Append(nil, time.Now(), batch(generation)); err != nil {
			t.Error(err)
		}
		time.Sleep(rand.N(200 * time.Microsecond))
	}
	j.Seal()
}

// consume delivers as delivery does, in batches of any size.
func (l killTest) consume(t *testing.T, j *journal.Journal, s *Sink) {
	r, err := j.NewReader("events", journal.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	records := make([]journal.Record, 100)
	for {
		n, skipped, err := r.Read(t.Context(), records[:1+rand.IntN(len(records))])
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil || skipped > 0 {
			t.Fatal(skipped, err)
		}
		list := make([]event.Event, n)
		for i, rec := range records[:n] {
			list[i] = event.Event{JournalID: j.ID(), Seq: rec.Seq, Time: rec.Time, Message: rec.Data}
		}
		for done := 0; done < n; {
			accepted, err := s.Deliver(t.Context(), list[done:])
			if err != nil {
				t.Fatal(err)
			}
			done += accepted
			if err := r.Commit(records[done-1]); err != nil {
				t.Fatal(err)
			}
		}
	}
}
