// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"bytes"
	"os"
	"sync/atomic"
	"testing"

	inboxes "github.com/genltestd/genltestd/daemon/inbox"
)

const pageBytes = 4096

// A markingInbox records the moments before and after each change.
type markingInbox struct {
	*inboxes.Inbox
	mark func()
}

func (b markingInbox) BeginAppend() *atomic.Uint64 {
	b.mark()
	defer b.mark()
	return b.Inbox.BeginAppend()
}

func (b markingInbox) Advance() {
	b.mark()
	b.Inbox.Advance()
	b.mark()
}

func (b markingInbox) SaveSnapshot(generation uint64, data []byte) {
	b.mark()
	b.Inbox.SaveSnapshot(generation, data)
	b.mark()
}

// readPages returns the pages of a file that are not zero.
func readPages(t *testing.T, path string) map[int64][]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pages, zero := map[int64][]byte{}, make([]byte, pageBytes)
	for at := 0; at < len(b); at += pageBytes {
		if page := b[at:min(len(b), at+pageBytes)]; !bytes.Equal(page, zero[:len(page)]) {
			pages[int64(at)] = bytes.Clone(page)
		}
	}
	return pages
}

// writePages replaces a file by one of that length with the pages.
func writePages(t *testing.T, path string, length int64, pages map[int64][]byte) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(length); err != nil {
		t.Fatal(err)
	}
	for at, page := range pages {
		if _, err := f.WriteAt(page, at); err != nil {
			t.Fatal(err)
		}
	}
}

// A longer snapshot would be cut, and a shorter one would contain fewer groups than possible.
func TestTheLongestSnapshotIsThatOfTheInbox(t *testing.T) {
	if maxSnapshot != inboxes.SnapshotBytes {
		t.Errorf("a snapshot has at most %d bytes, and the inbox stores %d", maxSnapshot, inboxes.SnapshotBytes)
	}
}
