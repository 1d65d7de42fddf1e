// SPDX-License-Identifier: Apache-2.0

package file

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// numbered returns events whose texts contain their numbers; some texts are a prefix of
// the next text.
func numbered(from, to int) []event.Event {
	list := events(from, to)
	for i := range list {
		list[i].Message = []byte(strings.Repeat("x", from+i))
	}
	return list
}

// A crashState is the file and the position of a process that was killed while it appended the events
// 4 to 8 to the events 1 to 3.
type crashState struct {
	path, position string
	text           []byte // of the complete file
	before         int    // bytes of the first three lines
}

func newCrashState(t *testing.T, encoder event.Encoder) crashState {
	t.Helper()
	dir := t.TempDir()
	sc := crashState{path: filepath.Join(dir, "events"), position: filepath.Join(dir, "position")}
	s := openWith(t, Config{Path: sc.path}, sink.Env{Position: sc.position, Encoder: encoder})
	deliver(t, s, numbered(1, 3))
	sc.before = len(read(t, sc.path))
	deliver(t, s, numbered(4, 8))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sc.text = []byte(read(t, sc.path))
	return sc
}

// kill leaves the state after n bytes of the batch were written.
func (sc crashState) kill(t *testing.T, n int) {
	t.Helper()
	if err := os.Truncate(sc.path, int64(sc.before+n)); err != nil {
		t.Fatal(err)
	}
	if n < len(sc.text)-sc.before {
		sc.patch(t, 12, 0, 0, 0, 0)
	}
}

func (sc crashState) patch(t *testing.T, at int64, b ...byte) {
	t.Helper()
	f, err := os.OpenFile(sc.position, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var encoders = map[string]event.Encoder{"json": event.JSON{}, "raw": sinktest.Text{}}

func TestKilledAtEachByteWritesEachEventOnce(t *testing.T) {
	// How the events are delivered again, as lists of batches.
	again := map[string][][2]int{
		"as before": {{4, 8}}, "one by one": {{4, 4}, {5, 5}, {6, 6}, {7, 7}, {8, 8}},
		"with more": {{4, 6}, {7, 9}},
	}
	step := 17 // coprime to the length of the lines
	if os.Getenv("GENLTESTD_SOAK") != "" {
		step = 1
	}
	for name, encoder := range encoders {
		whole := newCrashState(t, encoder)
		batch := len(whole.text) - whole.before
		for n := 0; n <= batch; n += step {
			for order, batches := range again {
				sc := newCrashState(t, encoder)
				sc.kill(t, n)
				s := openWith(t, Config{Path: sc.path}, sink.Env{Position: sc.position, Encoder: encoder})
				last := 0
				for _, b := range batches {
					deliver(t, s, numbered(b[0], b[1]))
					last = b[1]
				}
				if diff := cmp.Diff(textOf(t, encoder, numbered(1, last)), read(t, sc.path)); diff != "" {
					t.Fatalf("%s, killed at byte %d, given %s (-want +got):\n%s", name, n, order, diff)
				}
			}
		}
	}
}

func textOf(t *testing.T, encoder event.Encoder, list []event.Event) string {
	t.Helper()
	var b []byte
	for i := range list {
		var err error
		if b, err = encoder.Append(b, &list[i]); err != nil {
			t.Fatal(err)
		}
		b = append(b, '\n')
	}
	return string(b)
}

// The process is killed repeatedly before it has written all events; each time the file
// contains more of them.
func TestKilledDuringCatchUp(t *testing.T) {
	for name, encoder := range encoders {
		sc := newCrashState(t, encoder)
		line := len(textOf(t, encoder, numbered(4, 4)))
		sc.kill(t, line+3)
		for range 3 {
			// 4 is in the file; 5 to 8 are written after it, and 4 to 8 are delivered
			// again.
			s := openWith(t, Config{Path: sc.path}, sink.Env{Position: sc.position, Encoder: encoder})
			deliver(t, s, numbered(4, 8))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(string(sc.text), read(t, sc.path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A replayed dead letter has a lower number than the events in the file.
func TestReplayedEventsAreWrittenDuringCatchUp(t *testing.T) {
	sc := newCrashState(t, event.JSON{})
	sc.kill(t, len(textOf(t, event.JSON{}, numbered(4, 5)))+7)
	for _, seq := range []int{2, 1} {
		s := openWith(t, Config{Path: sc.path}, sink.Env{Position: sc.position})
		deliver(t, s, events(seq, seq))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := openWith(t, Config{Path: sc.path}, sink.Env{Position: sc.position})
	deliver(t, s, numbered(4, 8))
	deliver(t, s, events(3, 3))
	deliver(t, s, events(9, 9))
	wantIDs(t, sc.path, 1, 2, 3, 4, 5, 2, 1, 6, 7, 8, 3, 9)
	if len(s.known.ids) > 0 {
		t.Errorf("%d events are still stored", len(s.known.ids))
	}
}

// Each test is another event, although all have the number 0.
func TestTestsAreWrittenDuringCatchUp(t *testing.T) {
	sc := newCrashState(t, event.JSON{})
	sc.kill(t, len(textOf(t, event.JSON{}, numbered(4, 5)))+7)
	var s *Sink
	for n := range uint64(3) {
		s = openWith(t, Config{Path: sc.path}, sink.Env{Position: sc.position})
		deliver(t, s, []event.Event{sinktest.TestEvent(2 * n)})
		deliver(t, s, []event.Event{sinktest.TestEvent(2*n + 1)})
		if n < 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	deliver(t, s, numbered(4, 8))
	text := read(t, sc.path)
	want := numbered(4, 8)
	for n := range uint64(6) {
		want = append(want, sinktest.TestEvent(n))
	}
	for i := range want {
		if n := strings.Count(text, `"id":"`+want[i].ID()+`"`); n != 1 {
			t.Errorf("event %s is %d times in the file:\n%s", want[i].ID(), n, text)
		}
	}
}

// The file was moved between the kill and the start, as logrotate may.
func TestFileMovedBeforeTheRestart(t *testing.T) {
	for n, there := range map[int][]int{0: {1, 2, 3}, 10: {1, 2, 3}, 1 << 20: {1, 2, 3, 4, 5, 6, 7, 8}} {
		sc := newCrashState(t, event.JSON{})
		sc.kill(t, min(n, len(sc.text)-sc.before))
		if err := os.Rename(sc.path, sc.path+".1"); err != nil {
			t.Fatal(err)
		}
		s := openWith(t, Config{Path: sc.path}, sink.Env{Position: sc.position})
		deliver(t, s, numbered(4, 9))
		wantIDs(t, sc.path+".1", there...)
		rest := []int{4, 5, 6, 7, 8, 9}
		wantIDs(t, sc.path, rest[len(there)-3:]...)
	}
}

// A file may be rotated and compressed while its events are delivered again.
func TestFileRotatedDuringCatchUp(t *testing.T) {
	sc := newCrashState(t, event.JSON{})
	sc.patch(t, 12, 0, 0, 0, 0) // killed just before it noted that it was done
	config, env := Config{Path: sc.path, Rotate: Rotate{MaxBytes: 1}}, sink.Env{Position: sc.position}
	s := openWith(t, config, env)
	deliver(t, s, numbered(4, 4))
	if err := s.rotate(); err != nil { // and is killed before it notes anything else
		t.Fatal(err)
	}
	all, err := listRotated(sc.path)
	if err != nil || len(all) != 1 || os.Remove(all[0].path) != nil {
		t.Fatalf("rotated to %v, %v", all, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	deliver(t, openWith(t, config, env), numbered(4, 9))
	wantIDs(t, sc.path, 9)
}

// Another file has the inode number of a removed file.
func TestFileWithAReusedInodeIsNotModified(t *testing.T) {
	sc := newCrashState(t, event.JSON{})
	sc.kill(t, 0)
	p, n, _, err := openPosition(sc.position, "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	n.file.born--
	other := sc.path + ".other"
	if err := os.Rename(sc.path, other); err != nil {
		t.Fatal(err)
	}
	whole, err := n.settleMoved(sc.path, true)
	if err != nil || whole != 0 {
		t.Errorf("%d events, %v", whole, err)
	}
	if got := read(t, other); got != string(sc.text[:sc.before]) {
		t.Errorf("the other file has %q", got)
	}
}

func TestCompleteBatchIsNotRepeatedInANewFile(t *testing.T) {
	sc := newCrashState(t, event.JSON{})
	if err := os.Remove(sc.path); err != nil { // compressed, or cut by copytruncate
		t.Fatal(err)
	}
	deliver(t, openWith(t, Config{Path: sc.path}, sink.Env{Position: sc.position}), numbered(4, 9))
	wantIDs(t, sc.path, 9)
}

// After a power cut the note may be older or newer than the file.
func TestFileContentsDecideAfterAPowerCut(t *testing.T) {
	line := len(textOf(t, event.JSON{}, numbered(4, 4)))
	for name, left := range map[string]int{"less than the batch before": -20, "the batch before": 0, "a line and a half": line * 3 / 2} {
		sc := newCrashState(t, event.JSON{})
		if err := os.Truncate(sc.path, int64(sc.before+left)); err != nil {
			t.Fatal(err)
		}
		b := []byte(read(t, sc.position))
		b[16] ^= 1 // the boot id
		sum := crc32.Checksum(b[16:], castagnoli)
		sc.patch(t, 8, binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, sum), sum)...)
		sc.patch(t, 16, b[16])
		if n, ok := parseNote([]byte(read(t, sc.position))); !ok || !n.done {
			t.Fatalf("note %+v, %v", n, ok)
		}
		deliver(t, openWith(t, Config{Path: sc.path}, sink.Env{Position: sc.position}), numbered(4, 8))
		text := read(t, sc.path)
		for i := 4; i <= 8; i++ {
			if c := strings.Count(text, fmt.Sprintf("{\"id\":\"j-%d\"", i)); c != 1 {
				t.Errorf("%s: the file has event %d %d times", name, i, c)
			}
		}
	}
}

// Damage may cause duplicate events, but not the loss of an event.
func TestDamagedPositionLosesNoEvent(t *testing.T) {
	whole := newCrashState(t, event.JSON{})
	length := len(read(t, whole.position))
	for at := range length {
		sc := newCrashState(t, event.JSON{})
		sc.kill(t, 0)
		sc.patch(t, int64(at), 0xa5)
		deliver(t, openWith(t, Config{Path: sc.path}, sink.Env{Position: sc.position}), numbered(4, 8))
		wantIDs(t, sc.path, 1, 2, 3, 4, 5, 6, 7, 8)
	}
}

func TestLinesOfOtherWritersAreNotRecognizedAsEvents(t *testing.T) {
	for n, want := range map[int]string{0: "note\n", 5: `{"id"note` + "\n"} {
		sc := newCrashState(t, event.JSON{})
		sc.kill(t, n)
		f, err := os.OpenFile(sc.path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("note\n" + strings.Repeat("y", 3000)); err != nil {
			t.Fatal(err)
		}
		f.Close()
		deliver(t, openWith(t, Config{Path: sc.path}, sink.Env{Position: sc.position}), numbered(4, 8))
		got := read(t, sc.path)[sc.before:]
		if want += strings.Repeat("y", 3000) + "\n" + string(sc.text[sc.before:]); got != want {
			t.Errorf("killed at %d: %.300q", n, got)
		}
	}
}

func TestIncompleteLineOfAnotherEncodingIsRemoved(t *testing.T) {
	sc := newCrashState(t, event.JSON{})
	sc.kill(t, 11)
	deliver(t, openWith(t, Config{Path: sc.path}, sink.Env{Position: sc.position, Encoder: sinktest.Text{}}), numbered(4, 5))
	if got := read(t, sc.path)[sc.before:]; got != "xxxx\nxxxxx\n" {
		t.Errorf("after the first batch: %q", got)
	}
}

func FuzzParseNote(f *testing.F) {
	f.Add([]byte(positionMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := parseNote(b)
		if ok && len(n.lines) > len(b)/positionEntry {
			t.Errorf("%d lines in %d bytes", len(n.lines), len(b))
		}
	})
}
