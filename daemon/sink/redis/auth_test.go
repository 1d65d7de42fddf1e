// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// refusesWith makes an attempt, which must be refused with an error that contains each of the
// texts, and must not be permanent.
func refusesWith(t *testing.T, s sink.Sink, texts ...string) {
	t.Helper()
	n, err := s.Deliver(t.Context(), sinktest.Events(1, 3))
	if n != 0 || err == nil || sink.Poisoned(err) > 0 {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error lacks %q: %v", text, err)
		}
	}
}

// delivers makes an attempt, which must succeed.
func delivers(t *testing.T, s sink.Sink, first, n int) {
	t.Helper()
	if accepted, err := s.Deliver(t.Context(), sinktest.Events(first, n)); err != nil {
		t.Fatalf("accepted %d events, %v", accepted, err)
	}
}

// stored fails the test unless the destination has the events from 1 to n, each once.
func stored(t *testing.T, d sinktest.Destination, n int) {
	t.Helper()
	list := d.Stored(t)
	for i, e := range list {
		if want := sinktest.Events(i+1, 1)[0]; e.ID != want.ID() {
			t.Fatalf("event %d is %s", i+1, e.ID)
		}
	}
	if len(list) != n {
		t.Errorf("the destination has %d events, want %d", len(list), n)
	}
}

const sinkUser = "sink"

func (s *server) setUser(t *testing.T, rules ...any) {
	t.Helper()
	s.must(t, "ACL", append([]any{"SETUSER", sinkUser, "reset", "on"}, rules...)...)
}

func TestPasswordIsReplaced(t *testing.T) {
	s := startServer(t)
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := s.config()
	c.User, c.Password = sinkUser, value.Secret{File: file}
	write("old-password")
	k := newSink(t, c)
	refusesWith(t, k, `AUTH of user "sink"`, "WRONGPASS", "check `user` and `password`")

	s.setUser(t, ">old-password", "~*", "+@all")
	delivers(t, k, 1, 3)
	s.must(t, "ACL", "DELUSER", sinkUser) // ends the connection
	s.setUser(t, ">new-password", "~*", "+@all")
	refusesWith(t, k, "WRONGPASS")
	write("new-password")
	delivers(t, k, 4, 3)
	s.must(t, "ACL", "SETUSER", sinkUser, ">third-password") // the connection stays open
	write("third-password")
	opened := s.connections(t)
	delivers(t, k, 7, 3)
	if got := s.connections(t); got != opened+2 { // one is of the test
		t.Errorf("%d connections were opened after a replaced password", got-opened-1)
	}
	stored(t, s, 9)
}

// connections returns the number of connections that the server has accepted.
func (s *server) connections(t *testing.T) int {
	return s.info(t, "stats", "total_connections_received")
}

func TestMissingRightsAreNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		rules []any
		want  []string
	}{
		"no key":    {[]any{"~other", "+@all"}, []string{"NOPERM", "~PATTERN"}},
		"no xadd":   {[]any{"~*", "+multi", "+exec"}, []string{"NOPERM", "'xadd'", "`+xadd +multi +exec`"}},
		"no multi":  {[]any{"~*", "+xadd", "+exec"}, []string{"NOPERM", "MULTI", "'multi'"}},
		"no exec":   {[]any{"~*", "+xadd", "+multi"}, []string{"NOPERM", "EXEC", "'exec'"}},
		"no wait":   {[]any{"~*", "+xadd", "+multi", "+exec"}, []string{"NOPERM", "WAIT", "'wait'"}},
		"no select": {[]any{"~*", "+xadd", "+multi", "+exec", "+wait"}, []string{"NOPERM", "SELECT 3", "'select'"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			s.setUser(t, append(tt.rules, ">password")...)
			c := s.config()
			c.User, c.Password = sinkUser, value.Inline("password")
			switch name {
			case "no wait":
				c.Replicas = 1
			case "no select":
				c.Database = 3
			}
			refusesWith(t, newSink(t, c), tt.want...)
			if entries := s.entries(t, s.stream); len(entries) > 0 {
				t.Errorf("the server has %d entries", len(entries))
			}
		})
	}
}

// A user that loses the right to begin transactions must not store events one by one.
func TestRightIsWithdrawnFromAnOpenConnection(t *testing.T) {
	s := startServer(t)
	s.setUser(t, ">password", "~*", "+@all")
	c := s.config()
	c.User, c.Password = sinkUser, value.Inline("password")
	k := newSink(t, c)
	delivers(t, k, 1, 3)
	s.must(t, "ACL", "SETUSER", sinkUser, "-multi")
	for range 5 {
		n, err := k.Deliver(t.Context(), sinktest.Events(4, 3))
		if n != 0 || err == nil || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("accepted %d events, %v", n, err)
		}
	}
	if n := len(s.entries(t, s.stream)); n > 3+3 {
		t.Errorf("the server has %d entries after five attempts", n)
	}
}

func TestServerRequiresAPassword(t *testing.T) {
	s := startServer(t)
	s.must(t, "ACL", "SETUSER", "admin", "on", "nopass", "~*", "+@all")
	k := newSink(t, s.config())
	s.must(t, "CONFIG", "SET", "requirepass", "server-password")
	refusesWith(t, k, "NOAUTH", "set `password`")
}

func TestServerWithoutAPassword(t *testing.T) {
	s := startServer(t)
	c := s.config()
	c.Password = value.Inline("superfluous")
	refusesWith(t, newSink(t, c), "ERR AUTH", "remove `password`")
}

func TestDatabaseIsSelected(t *testing.T) {
	s := startServer(t)
	c := s.config()
	c.Database = 5
	delivers(t, newSink(t, c), 1, 3)
	if got := s.must(t, "INFO", "keyspace"); !strings.Contains(string(got.([]byte)), "db5:keys=1") {
		t.Errorf("databases: %s", got)
	}
	c.Database = 16
	refusesWith(t, newSink(t, c), "SELECT 16", "lower `database`")
}
