// SPDX-License-Identifier: Apache-2.0

package origin

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/statefile"
)

const journalID = "6a9155caa46c7dcc"

func boot(digit string, release string) Boot { return Boot{strings.Repeat(digit, 32), release} }

var a, b, c = boot("a", "6.1.0-a"), boot("b", "6.1.0-b"), boot("c", "6.1.0-c")

func options(path string) Options {
	return Options{Files: statefile.Disk{}, Path: path, JournalID: journalID}
}

func open(t *testing.T, path string, oldest, next uint64, current Boot) *Boots {
	t.Helper()
	boots, err := Open(options(path), oldest, next, current, "h")
	if err != nil {
		t.Fatal(err)
	}
	return boots
}

func parsed(text []byte) *Boots {
	spans, _ := parse(text, journalID)
	return &Boots{spans: spans}
}

func bootIDOf(t *Table, seq uint64) string {
	o, _ := t.Of(seq)
	return o.BootID
}

// bootOf returns the boot of an event.
func bootOf(boots *Boots, seq uint64) Boot {
	o, _ := boots.Table(event.Origin{}, true, true).Of(seq)
	if o == nil {
		return Boot{}
	}
	return Boot{o.BootID, o.KernelRelease}
}

func checkBoots(t *testing.T, boots *Boots, want map[uint64]Boot) {
	t.Helper()
	for seq, boot := range want {
		if got := bootOf(boots, seq); got != boot {
			t.Errorf("event %d is of boot %v, want %v", seq, got, boot)
		}
	}
}

func TestEachEventIsOfTheBootInWhichItWasReceived(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boots")
	checkBoots(t, open(t, path, 1, 1, a), map[uint64]Boot{1: a, 1 << 60: a})
	checkBoots(t, open(t, path, 1, 5, a), map[uint64]Boot{1: a, 5: a}) // after a restart of the daemon
	open(t, path, 1, 10, b)
	open(t, path, 1, 10, Boot{}) // a boot without events
	boots := open(t, path, 1, 10, b)
	checkBoots(t, boots, map[uint64]Boot{1: a, 9: a, 10: b, 11: b})
	boots = open(t, path, 1, 20, Boot{"", "6.1.0-x"}) // unknown boot id
	checkBoots(t, boots, map[uint64]Boot{9: a, 19: b, 20: {"", "6.1.0-x"}})
	boots = open(t, path, 1, 30, a)
	want := map[uint64]Boot{1: a, 9: a, 10: b, 19: b, 20: {"", "6.1.0-x"}, 29: {"", "6.1.0-x"}, 30: a}
	checkBoots(t, boots, want)
	read, err := Read(options(path))
	if err != nil {
		t.Fatal(err)
	}
	checkBoots(t, read, want)
}

func TestEventsFromBeforeTheFileAreOfNoKnownBoot(t *testing.T) {
	boots := open(t, filepath.Join(t.TempDir(), "boots"), 1, 100, a)
	checkBoots(t, boots, map[uint64]Boot{1: {}, 99: {}, 100: a})
}

// Dead letters may be older than the journal. So boots stay while there are few.
func TestTheOldestBootsWithoutEventsAreForgotten(t *testing.T) {
	var spans []span
	for i := range uint64(2 * maxSpans) {
		spans = append(spans, span{1 + i, boot("abcdef"[i%6:i%6+1], "r"), "h"})
	}
	if left := prune(spans, 2*maxSpans); len(left) != maxSpans || left[0].first != maxSpans+1 {
		t.Errorf("%d spans are left, the first is %+v", len(left), left[0])
	}
	if left := prune(spans, 10); len(left) != 2*maxSpans-9 || left[0].first != 10 {
		t.Errorf("with events from 10 on %d spans are left, the first is %+v", len(left), left[0])
	}
}

func TestAFileOfAnotherJournalIsIgnored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boots")
	open(t, path, 1, 1, a)
	o := options(path)
	o.JournalID = "ffffffffffffffff"
	boots, err := Open(o, 1, 10, b, "h")
	if err != nil {
		t.Fatal(err)
	}
	checkBoots(t, boots, map[uint64]Boot{1: {}, 9: {}, 10: b})
}

// A journal that was restored from a backup assigns numbers again.
func TestNumbersThatAreGivenAgainAreOfTheNewBoot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boots")
	open(t, path, 1, 1, a)
	open(t, path, 1, 100, b)
	checkBoots(t, open(t, path, 1, 50, c), map[uint64]Boot{49: a, 50: c, 100: c})
}

// For any truncation or change of the file, the boot of an event is correct or unknown.
func TestDamageNeverChangesTheBootOfAnEvent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boots")
	open(t, path, 1, 1, a)
	open(t, path, 1, 10, b)
	open(t, path, 1, 20, c)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	truth := map[uint64]Boot{1: a, 9: a, 10: b, 19: b, 20: c, 30: c}
	known := 0
	check := func(what string, i int, damaged []byte) {
		boots := parsed(damaged)
		for seq, boot := range truth {
			switch got := bootOf(boots, seq); got {
			case boot:
				known++
			case Boot{}:
			default:
				t.Errorf("%s at %d: event %d is of %v, want %v or unknown", what, i, seq, got, boot)
			}
		}
	}
	for i := range text {
		for _, bit := range []byte{1, 2, 16, 64, 128} {
			damaged := bytes.Clone(text)
			damaged[i] ^= bit
			check("changed", i, damaged)
		}
	}
	if known == 0 {
		t.Error("any damage makes all boots unknown")
	}
	// The loss of whole lines cannot be detected. It does not happen, because the file is
	// replaced and never truncated. Truncation within a line is detected.
	for i := range text {
		if i == 0 || text[i-1] != '\n' {
			check("cut", i, text[:i])
		}
	}
}

func TestADamagedFileIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boots")
	for _, text := range []string{"", "x", "genltestd-boots journal=6a9155caa46c7dcc\n1 - -\n", strings.Repeat("\x00", 4096)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		checkBoots(t, open(t, path, 1, 10, a), map[uint64]Boot{9: {}, 10: a})
		checkBoots(t, open(t, path, 1, 20, b), map[uint64]Boot{9: {}, 10: a, 20: b})
	}
}

// If the current boot cannot be stored, a later start must not use the old file.
func TestAFileThatCannotBeReplacedIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boots")
	open(t, path, 1, 1, a)
	if err := os.Mkdir(path+".tmp", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path+".tmp", "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	boots, err := Open(options(path), 1, 10, b, "h")
	if err == nil {
		t.Error("no error")
	}
	checkBoots(t, boots, map[uint64]Boot{9: a, 10: b})
	if err := os.RemoveAll(path + ".tmp"); err != nil {
		t.Fatal(err)
	}
	checkBoots(t, open(t, path, 1, 20, c), map[uint64]Boot{9: {}, 10: {}, 19: {}, 20: c})
}

func TestTableAddsTheRequestedFields(t *testing.T) {
	boots := open(t, filepath.Join(t.TempDir(), "boots"), 1, 10, a)
	every := event.Origin{MachineID: "m", Labels: []event.Label{{Name: "site", Value: "berlin"}}}
	withID, withBoth := every, every
	withID.BootID = a.ID
	withBoth.BootID, withBoth.KernelRelease = a.ID, a.Release
	for _, tt := range []struct {
		every       event.Origin
		id, release bool
		seq         uint64
		want        *event.Origin
	}{
		{event.Origin{}, false, false, 10, nil},
		{event.Origin{}, true, true, 9, nil},
		{event.Origin{}, false, true, 10, &event.Origin{KernelRelease: a.Release}},
		{every, true, true, 9, &every},
		{every, false, false, 10, &every},
		{every, true, false, 10, &withID},
		{every, true, true, 10, &withBoth},
	} {
		got, _ := boots.Table(tt.every, tt.id, tt.release).Of(tt.seq)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt, diff)
		}
	}
}

func TestTableAllocatesNothing(t *testing.T) {
	boots := &Boots{}
	for i := range uint64(1000) {
		boots.spans = append(boots.spans, span{i * 10, boot("abcdef"[i%6:i%6+1], "r"), "h"})
	}
	table := boots.Table(event.Origin{}, true, true)
	seq := uint64(0)
	if n := testing.AllocsPerRun(1000, func() { table.Of(seq); seq += 7 }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for i := range uint64(10000) {
		if want := strings.Repeat("abcdef"[i/10%6:i/10%6+1], 32); bootIDOf(table, i) != want {
			t.Fatalf("event %d is of boot %s, want %s", i, bootIDOf(table, i), want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(encode([]span{{1, a, "web-1"}, {10, Boot{}, ""}, {20, b, "a b"}}, journalID))
	f.Add([]byte("genltestd-boots journal=6a9155caa46c7dcc crc=00000000\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		// A fuzzer cannot guess checksums, so they are added to its lines.
		for _, text := range [][]byte{text, sealed(text)} {
			spans, _ := parse(text, journalID)
			for i := range spans {
				if i > 0 && spans[i-1].first >= spans[i].first {
					t.Errorf("%q: numbers do not ascend: %v", text, spans)
				}
			}
			again, err := parse(encode(spans, journalID), journalID)
			if diff := cmp.Diff(spans, again, cmp.AllowUnexported(span{})); diff != "" || err != nil {
				t.Errorf("%q changes when it is written and read, %v (-want +got):\n%s", text, err, diff)
			}
		}
	})
}

func sealed(text []byte) []byte {
	out := appendLine(nil, header+journalID)
	for line := range strings.SplitSeq(string(text), "\n") {
		out = appendLine(out, line)
	}
	return out
}

// This is exactly the example of the package comment: older files must stay readable.
func TestFormat(t *testing.T) {
	spans := []span{
		{1, Boot{"0f3fd6f4c1a94d0c8f6f6f0d1b0e7a52", "6.1.0-49-amd64"}, "localhost"},
		{8160, Boot{"c1f0fdd2a9f54ffcbd33c49f0a2c1f9b", "6.1.0-50-amd64"}, "web-1"},
	}
	const want = "genltestd-boots journal=6a9155caa46c7dcc crc=8067da25\n" +
		"1 0f3fd6f4c1a94d0c8f6f6f0d1b0e7a52 6.1.0-49-amd64 localhost crc=638e41db\n" +
		"8160 c1f0fdd2a9f54ffcbd33c49f0a2c1f9b 6.1.0-50-amd64 web-1 crc=f3734b6a\n"
	if diff := cmp.Diff(want, string(encode(spans, journalID))); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	// Versions that did not store the host wrote this.
	const old = "genltestd-boots journal=6a9155caa46c7dcc crc=8067da25\n" +
		"1 0f3fd6f4c1a94d0c8f6f6f0d1b0e7a52 6.1.0-49-amd64 crc=83f15edc\n" +
		"8160 c1f0fdd2a9f54ffcbd33c49f0a2c1f9b 6.1.0-50-amd64 crc=934c883d\n"
	without := slices.Clone(spans)
	for i := range without {
		without[i].host = ""
	}
	for text, want := range map[string][]span{want: spans, old: without} {
		got, err := parse([]byte(text), journalID)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(span{})); diff != "" || err != nil {
			t.Errorf("read, %v (-want +got):\n%s", err, diff)
		}
	}
}

// For any order of boots, restarts, events, unclean stops and removed events, each event in
// the journal has the boot in which it was received.
func TestRandomLivesOfAMachine(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		path := filepath.Join(t.TempDir(), "boots")
		truth := make(map[uint64]Boot)
		last, oldest, boots := uint64(0), uint64(1), 0
		current := a
		for range 30 {
			if random.IntN(2) == 0 {
				boots++
				current = boot("0123456789abcdef"[boots%16:boots%16+1], "r")
			}
			last += uint64(random.IntN(2) * random.IntN(1000)) // skipped numbers
			oldest = min(oldest+uint64(random.IntN(20)), last+1)
			opened := open(t, path, oldest, last+1, current)
			for range random.IntN(20) {
				last++
				truth[last] = current
			}
			for seq, want := range truth {
				if got := bootOf(opened, seq); seq >= oldest && got != want {
					t.Fatalf("seed %d: event %d is of boot %v, want %v", seed, seq, got, want)
				}
			}
		}
	}
}
