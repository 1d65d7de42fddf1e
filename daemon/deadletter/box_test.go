// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var epoch = time.Unix(1_700_000_000, 5)

// journalID is the journal of the letters that the tests create.
const journalID = "6a9155caa46c7dcc"

func letter(seq uint64, text string) Letter {
	return Letter{
		ID: ID{journalID, seq}, Received: epoch, Data: []byte(text), Reason: "HTTP 400",
		Refused: epoch.Add(time.Duration(seq) * time.Second), Attempts: 1,
	}
}

func letters(from, to uint64) (all []Letter) {
	for seq := from; seq <= to; seq++ {
		all = append(all, letter(seq, fmt.Sprint("event ", seq)))
	}
	return all
}

func idsFrom(from, to uint64) (ids []ID) {
	for seq := from; seq <= to; seq++ {
		ids = append(ids, ID{journalID, seq})
	}
	return ids
}

// scale returns the size of a random test: soak if GENLTESTD_SOAK is set.
func scale(short, soak int) int {
	if os.Getenv("GENLTESTD_SOAK") != "" {
		return soak
	}
	return short
}

func open(t testing.TB, dir string, o Options) *Box {
	t.Helper()
	b := Open(dir, o)
	if err := b.Fault(); err != nil {
		t.Fatal(err)
	}
	return b
}

func closeBox(t testing.TB, b *Box) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func add(t testing.TB, b *Box, letters ...Letter) {
	t.Helper()
	if err := b.Add(letters...); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, b *Box, want int, ids ...ID) {
	t.Helper()
	if n, err := b.Remove(ids...); n != want || err != nil {
		t.Fatalf("removed %d, %v; want %d", n, err, want)
	}
}

// wantLetters checks that the box contains exactly these letters.
func wantLetters(t testing.TB, b *Box, want []Letter) {
	t.Helper()
	got, err := b.Get(b.IDs()...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Concat(want), got); diff != "" { // Concat makes an empty slice nil
		t.Errorf("letters (-want +got):\n%s", diff)
	}
	if s := b.Stats(); s.Live != uint64(len(want)) {
		t.Errorf("counted as %+v, want %d", s, len(want))
	}
}

// TestLettersSurviveReopen checks that the letters are the same after the box is opened again.
func TestLettersSurviveReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	b := open(t, dir, Options{})
	wantLetters(t, b, nil)
	if _, err := os.Stat(dir); err == nil {
		t.Error("an empty box has a directory")
	}
	closeBox(t, b)

	again := letter(3, "event 3")
	again.Attempts, again.Reason = 2, "HTTP 413"
	foreign := letter(4, "of the journal before") // number 4 of another journal is another event
	foreign.ID.Journal = "0000000000000001"
	steps := []struct {
		name string
		do   func(b *Box)
		want []Letter
	}{
		{"add", func(b *Box) { add(t, b, letters(1, 5)...) }, letters(1, 5)},
		{"add the same", func(b *Box) { add(t, b, letters(2, 5)...) }, letters(1, 5)},
		{
			"remove", func(b *Box) { remove(t, b, 2, ID{journalID, 2}, ID{journalID, 4}, ID{journalID, 4}, ID{journalID, 9}) },
			slices.Concat(letters(1, 1), letters(3, 3), letters(5, 5)),
		},
		{"add with another reason", func(b *Box) { add(t, b, again) }, slices.Concat(letters(1, 1), []Letter{again}, letters(5, 5))},
		{"add removed letters", func(b *Box) { add(t, b, letters(2, 2)...) }, slices.Concat(letters(1, 2), []Letter{again}, letters(5, 5))},
		{
			"add of another journal", func(b *Box) { add(t, b, foreign) },
			slices.Concat(letters(1, 2), []Letter{again}, letters(5, 5), []Letter{foreign}),
		},
		{
			"remove the oldest", func(b *Box) { remove(t, b, 1, ID{journalID, 1}) },
			slices.Concat(letters(2, 2), []Letter{again}, letters(5, 5), []Letter{foreign}),
		},
		{"remove all", func(b *Box) { remove(t, b, 4, b.IDs()...) }, nil},
		{"add after that", func(b *Box) { add(t, b, letters(6, 6)...) }, letters(6, 6)},
	}
	for _, s := range steps {
		b := open(t, dir, Options{})
		s.do(b)
		wantLetters(t, b, s.want)
		closeBox(t, b)
		b = open(t, dir, Options{})
		wantLetters(t, b, s.want)
		closeBox(t, b)
		if t.Failed() {
			t.Fatalf("after: %s", s.name)
		}
	}
}

// TestReplayKeepsOrderAndMarks also reopens the box before the replay ends.
func TestReplayKeepsOrderAndMarks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	calls := 0
	o := Options{OnReplay: func() { calls++ }}
	b := open(t, dir, o)
	add(t, b, letters(1, 6)...)
	add(t, b, letter(2, "event 2"))
	if got, err := b.NextReplay(9); len(got) != 0 || err != nil {
		t.Errorf("without a request: %v, %v", got, err)
	}
	if n, err := b.RequestReplay(ID{journalID, 5}, ID{journalID, 2}, ID{journalID, 99}, ID{journalID, 3}); n != 3 || err != nil || calls != 1 {
		t.Errorf("marked %d, %v, %d calls", n, err, calls)
	}
	if n, err := b.RequestReplay(ID{journalID, 99}, ID{"other", 1}); n != 0 || err != nil || calls != 1 {
		t.Errorf("marked %d unknown letters, %v, %d calls", n, err, calls)
	}
	next := func(want ...Letter) {
		t.Helper()
		got, err := b.NextReplay(2)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v, next letters (-want +got):\n%s", err, diff)
		}
	}
	next(letters(2, 3)...)
	next(letters(2, 3)...) // the marks stay until Remove or Add
	closeBox(t, b)
	b = open(t, dir, o)
	if s := b.Stats(); s.Marked != 3 || s.Live != 6 {
		t.Errorf("after a restart: %+v", s)
	}
	next(letters(2, 3)...)
	remove(t, b, 1, ID{journalID, 2})
	next(letter(3, "event 3"), letter(5, "event 5"))
	refused := letter(3, "event 3") // refused again
	refused.Attempts++
	add(t, b, refused)
	next(letters(5, 5)...)
	remove(t, b, 1, ID{journalID, 5})
	next()
	wantLetters(t, b, slices.Concat(letters(1, 1), []Letter{refused}, letters(4, 4), letters(6, 6)))
	closeBox(t, b)
}

func TestLimitsRemoveAndCountOldestLetters(t *testing.T) {
	const limit = 100_000
	dir := filepath.Join(t.TempDir(), "box")
	b := open(t, dir, Options{MaxBytes: limit})
	const total = 2000
	for seq := uint64(1); seq <= total; seq += 10 {
		add(t, b, letters(seq, seq+9)...)
		if s := b.Stats(); s.Live+s.Expired != seq+9 || s.Bytes > limit {
			t.Fatalf("after %d: %+v", seq+9, s)
		}
	}
	s := b.Stats()
	if s.Live < total/5 || s.Expired == 0 || s.Bytes < limit*3/4 {
		t.Errorf("%+v", s)
	}
	wantLetters(t, b, letters(total-s.Live+1, total))
	closeBox(t, b)
	b = open(t, dir, Options{MaxBytes: limit})
	wantLetters(t, b, letters(total-s.Live+1, total))
	closeBox(t, b)
}

func TestOldLettersExpire(t *testing.T) {
	now := epoch
	dir := filepath.Join(t.TempDir(), "box")
	o := Options{MaxAge: time.Hour, MaxBytes: 1 << 20, Now: func() time.Time { return now }}
	b := open(t, dir, o)
	add(t, b, letters(1, 1000)...)
	now = epoch.Add(time.Hour + 400*time.Second + time.Nanosecond)
	b.writeMu.Lock() // as maintain does
	b.applyLimits()
	b.writeMu.Unlock()
	if s := b.Stats(); s.Expired != 400 || s.Live != 600 {
		t.Errorf("%+v", s)
	}
	wantLetters(t, b, letters(401, 1000))
	closeBox(t, b)
	b = open(t, dir, o)
	wantLetters(t, b, letters(401, 1000))
	if s := b.Stats(); s.Expired != 0 {
		t.Errorf("counted again after a restart: %+v", s)
	}
	now = now.Add(time.Hour)
	add(t, b, letter(5000, "new"))
	if s := b.Stats(); s.Expired != 600 || s.Live != 1 {
		t.Errorf("%+v", s)
	}
	closeBox(t, b)
}

// TestSpaceOfOlderCopiesIsReclaimed checks that a letter which is refused in each replay
// does not displace the others.
func TestSpaceOfOlderCopiesIsReclaimed(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "box"), Options{MaxBytes: 1 << 20})
	for range 100 {
		add(t, b, letters(1, 200)...)
		if err := b.journal.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	dir := b.dir
	closeBox(t, b)
	b = open(t, dir, Options{MaxBytes: 1 << 20})
	if s := b.Stats(); s.Live != 200 || s.Expired != 0 || s.Bytes > 200_000 {
		t.Errorf("%+v", s)
	}
	closeBox(t, b)
}

func TestSpaceOfRemovedLettersIsReclaimed(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "box"), Options{MaxBytes: 1 << 20})
	add(t, b, letters(1, 8000)...)
	full := b.Stats().Bytes
	for seq := uint64(1); seq <= 7900; seq += 100 {
		remove(t, b, 100, idsFrom(seq, seq+99)...)
	}
	if err := b.journal.Sync(); err != nil { // the journal removes segments in the background
		t.Fatal(err)
	}
	wantLetters(t, b, letters(7901, 8000))
	closeBox(t, b)
	b = open(t, b.dir, Options{MaxBytes: 1 << 20})
	if s := b.Stats(); s.Bytes > full/2 || s.Live != 100 || s.Expired != 0 {
		t.Errorf("%+v, %d bytes before", s, full)
	}
	closeBox(t, b)
}
