// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// While letters cannot be read, every call returns an error. After the repair the letters
// exist, and the marked ones are replayed.
func TestUnreadableLettersAreListedAfterRepair(t *testing.T) {
	for name, obstacle := range map[string]func(string) error{
		"a file":      func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a FIFO":      func(path string) error { return unix.Mkfifo(path, 0o600) },
		"a link loop": func(path string) error { return os.Symlink(path, path) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "box")
			b := open(t, dir, Options{})
			add(t, b, letters(1, 20)...)
			if _, err := b.RequestReplay(ID{journalID, 3}); err != nil {
				t.Fatal(err)
			}
			closeBox(t, b)
			if err := os.Rename(dir, dir+".away"); err != nil {
				t.Fatal(err)
			}
			if err := obstacle(dir); err != nil {
				t.Fatal(err)
			}
			replay := make(chan struct{}, 1)
			b = Open(dir, Options{Retry: 10 * time.Millisecond, OnReplay: func() { replay <- struct{}{} }})
			check := func(call string, err error) {
				t.Helper()
				if err == nil || !strings.Contains(err.Error(), dir) {
					t.Errorf("%s: %v, want %s", call, err, dir)
				}
			}
			check("Fault", b.Fault())
			check("Add", b.Add(letters(21, 21)...))
			_, err := b.Get(ID{journalID, 1})
			check("Get", err)
			_, err = b.NextReplay(10)
			check("NextReplay", err)
			_, err = b.Remove(ID{journalID, 1})
			check("Remove", err)
			_, err = b.RequestReplay(ID{journalID, 1})
			check("RequestReplay", err)
			b.SetLimits(1<<20, 0)
			if err := os.Remove(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(dir+".away", dir); err != nil {
				t.Fatal(err)
			}
			<-replay
			wantLetters(t, b, letters(1, 20))
			if next, err := b.NextReplay(10); len(next) != 1 || err != nil {
				t.Errorf("%d letters are marked for replay, %v", len(next), err)
			}
			add(t, b, letters(21, 21)...)
			wantLetters(t, b, letters(1, 21))
			closeBox(t, b)
		})
	}
}
