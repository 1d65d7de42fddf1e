// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"bufio"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test binary a process that changes a box until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("GENLTESTD_BOX"); dir != "" {
		if err := changeBox(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// changeBox adds, marks and removes letters, ten at a time, and prints each completed step. It
// leaves one marked and one unmarked letter of each ten. It repeats the steps that the
// last process did not complete.
func changeBox(dir string) error {
	b := Open(dir, Options{})
	if err := b.Fault(); err != nil {
		return err
	}
	next := uint64(1)
	if ids := b.IDs(); len(ids) > 0 {
		next = (ids[len(ids)-1].Seq-1)/10*10 + 1
	}
	for ; ; next += 10 {
		fmt.Println("begins", next)
		steps := []struct {
			name string
			do   func() error
		}{
			{"added", func() error { return b.Add(letters(next, next+9)...) }},
			{"marked", func() error { _, err := b.RequestReplay(idsFrom(next, next+8)...); return err }},
			{"removed", func() error { _, err := b.Remove(idsFrom(next, next+7)...); return err }},
		}
		for _, s := range steps {
			if err := s.do(); err != nil {
				return err
			}
			fmt.Println(s.name, next)
		}
	}
}

// TestKilledProcessLosesNoLetters checks that each printed step is durable and no letter is duplicated.
func TestKilledProcessLosesNoLetters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	rng := rand.New(rand.NewSource(time.Now().UnixNano()))
	done := map[string]uint64{} // highest number of a completed step
	for round := range scale(15, 500) {
		runAndKill(t, dir, rng.Intn(24), time.Duration(rng.Intn(40))*time.Millisecond, done)
		b := open(t, dir, Options{})
		ids := b.IDs()
		if got, err := b.Get(ids...); err != nil || len(got) != len(ids) {
			t.Fatalf("round %d: %d of %d letters can be read, %v", round, len(got), len(ids), err)
		}
		marked, err := b.NextReplay(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		isMarked := map[ID]bool{}
		for _, l := range marked {
			isMarked[l.ID] = true
		}
		for i, id := range ids {
			if i > 0 && id.Seq <= ids[i-1].Seq {
				t.Fatalf("round %d: %d after %d", round, id.Seq, ids[i-1].Seq)
			}
			group, offset := (id.Seq-1)/10*10+1, (id.Seq-1)%10
			if group <= done["removed"] && offset < 8 {
				t.Errorf("round %d: %d exists although it was removed", round, id.Seq)
			}
			if group <= done["marked"] && offset < 9 && !isMarked[id] {
				t.Errorf("round %d: %d is not marked", round, id.Seq)
			}
		}
		for group := uint64(1); group <= done["added"]; group += 10 {
			for _, seq := range []uint64{group + 8, group + 9} {
				if b.index.find(ID{journalID, seq}) == nil {
					t.Errorf("round %d: %d is lost", round, seq)
				}
			}
		}
		closeBox(t, b)
		if t.Failed() {
			return
		}
	}
	if done["removed"] < 100 {
		t.Errorf("the process was killed too early: %v", done)
	}
}

// runAndKill runs the process until it has printed a number of steps, and kills it
// shortly after, so that a slow machine makes the same progress.
func runAndKill(t *testing.T, dir string, steps int, after time.Duration, done map[string]uint64) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "GENLTESTD_BOX="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for printed := 0; ; printed++ {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		var step string
		var n uint64
		if _, err := fmt.Sscan(line, &step, &n); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if done[step] = n; step == "begins" {
			done["marked"], done["removed"] = n-1, n-1
		}
		if printed == steps {
			time.AfterFunc(after, func() {
				cmd.Process.Kill() // the output ends even if this fails
			})
		}
	}
	cmd.Wait() // it was killed
}

// TestDamageLosesFewLetters checks that damage loses few letters and never prevents a
// start.
func TestDamageLosesFewLetters(t *testing.T) {
	healthy := filepath.Join(t.TempDir(), "box")
	b := open(t, healthy, Options{MaxBytes: 64_000})
	for seq := uint64(1); seq <= 300; seq++ {
		add(t, b, letters(seq, seq)...)
	}
	closeBox(t, b)
	rng := rand.New(rand.NewSource(1))
	for round := range scale(40, 3000) {
		dir := filepath.Join(t.TempDir(), "box")
		if err := os.CopyFS(dir, os.DirFS(healthy)); err != nil {
			t.Fatal(err)
		}
		change := damageFile(t, dir, rng)
		b := Open(dir, Options{MaxBytes: 64_000})
		if err := b.Fault(); err != nil {
			t.Fatalf("round %d: %s: %v", round, change, err)
		}
		got, err := b.Get(b.IDs()...)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) < 200 && !strings.Contains(change, "cut") {
			t.Errorf("round %d: %s: %d letters are left", round, change, len(got))
		}
		for _, l := range got {
			if string(l.Data) != fmt.Sprint("event ", l.ID.Seq) {
				t.Errorf("round %d: %s: letter %d is %q", round, change, l.ID.Seq, l.Data)
			}
		}
		add(t, b, letter(1000, "new"))
		if last, err := b.Get(ID{journalID, 1000}); err != nil || len(last) != 1 {
			t.Errorf("round %d: %s: the added letter is missing: %v", round, change, err)
		}
		closeBox(t, b)
		if t.Failed() {
			return
		}
	}
}

// damageFile flips a bit of one file, or truncates the file, and describes the change.
func damageFile(t *testing.T, dir string, rng *rand.Rand) (change string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	path := files[rng.Intn(len(files))]
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) == 0 {
		return "nothing"
	}
	at := rng.Intn(len(data))
	if change = fmt.Sprintf("flip in %s at %d", filepath.Base(path), at); rng.Intn(3) == 0 {
		change = "cut " + change
		data = data[:at]
	} else {
		data[at] ^= 1 << rng.Intn(8)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return change
}

// TestLetterDamagedWhileOpen checks that the letter is counted as lost and the others are
// returned.
func TestLetterDamagedWhileOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	b := open(t, dir, Options{})
	defer closeBox(t, b)
	for seq := uint64(1); seq <= 5; seq++ {
		add(t, b, letters(seq, seq)...)
	}
	if n, err := b.RequestReplay(b.IDs()...); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(data), "event 3")
	data[at] ^= 1
	if err := os.WriteFile(segments[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := b.NextReplay(10)
	if err != nil || len(got) != 4 {
		t.Errorf("%d letters, %v", len(got), err)
	}
	if s := b.Stats(); s.Damaged != 1 || s.Live != 4 || s.Marked != 4 {
		t.Errorf("%+v", s)
	}
}

// TestUnusableDirectoryIsSetAside checks that the directory is renamed and the box is empty.
func TestUnusableDirectoryIsSetAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "meta"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir, Options{})
	add(t, b, letters(1, 2)...)
	wantLetters(t, b, letters(1, 2))
	closeBox(t, b)
	if aside, err := filepath.Glob(dir + ".unusable-*/meta"); err != nil || len(aside) != 1 {
		t.Errorf("renamed: %q, %v", aside, err)
	}
}
