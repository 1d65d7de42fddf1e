// SPDX-License-Identifier: Apache-2.0

package reception

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/inbox"
	"github.com/genltestd/genltestd/internal/syncbuffer"
)

func memberWith(family string, b *inbox.Inbox) *member {
	return &member{Family: Family{Target: genl.Target{Family: family}}, inbox: b}
}

// A kill may lose an event, which a tmpfs prevents.
func TestInboxOnADiskCausesAWarning(t *testing.T) {
	for onDisk, lines := range map[bool]int{true: 1, false: 0} {
		var log syncbuffer.Buffer
		state := make(states)
		s := Set{
			Options:  Options{State: state, Log: slog.New(slog.NewTextHandler(&log, nil))},
			families: []*member{memberWith("alpha", &inbox.Inbox{OnDisk: onDisk}), memberWith("beta", &inbox.Inbox{OnDisk: onDisk})},
		}
		s.reportInboxes()
		s.warnOfDisk()
		if got := strings.Count(log.String(), "put the runtime directory on a tmpfs"); got != lines {
			t.Errorf("on a disk %v: %d warnings, want %d: %s", onDisk, got, lines, log.String())
		}
		if state["inbox"] != nil {
			t.Errorf("on a disk %v: %v makes the daemon unhealthy", onDisk, state["inbox"])
		}
	}
}

type states map[string]error

func (s states) Set(file string, err error) { s[file] = err }
func (states) Damaged(string, error)        {}

func TestAnInboxWithoutAFileIsAFaultUntilItIsRemoved(t *testing.T) {
	state := make(states)
	s := Set{
		Options:  Options{State: state},
		families: []*member{memberWith("alpha", &inbox.Inbox{}), memberWith("beta", &inbox.Inbox{Unbacked: errors.New("no space")})},
	}
	s.reportInboxes()
	if err := state["inbox"]; err == nil || !strings.Contains(err.Error(), "free space and restart the daemon: family beta: no space") {
		t.Errorf("got %v", err)
	}
	s.families = s.families[:1]
	s.reportInboxes()
	if err := state["inbox"]; err != nil {
		t.Errorf("got %v", err)
	}
}

// A file that was set aside must not be the inbox of another family.
func TestEachInboxHasAFileOfItsOwn(t *testing.T) {
	dir := Inboxes(t.TempDir())
	names := []string{"genltest", "a", "a.damaged", "a.inbox", "inbox", "damaged", ".", "..", "802.15.4 MAC"}
	files := make(map[string]string)
	for _, name := range names {
		file := dir.file(genl.Target{Family: name})
		for _, f := range []string{file, file + ".damaged"} {
			if other, ok := files[f]; ok {
				t.Errorf("%s and %s have the same file %s", name, other, f)
			}
			files[f] = name
			if err := os.WriteFile(f, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if !IsInbox(strings.TrimPrefix(file, string(dir)+"/")) {
			t.Errorf("%s is not an inbox", file)
		}
	}
	got, err := dir.families()
	slices.Sort(names)
	slices.Sort(got)
	if err != nil || !slices.Equal(got, names) {
		t.Errorf("got %q, %v, want %q", got, err, names)
	}
}
