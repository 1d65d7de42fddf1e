// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/rabbitmq"
)

func TestAccessFaults(t *testing.T) {
	b := shared(t)
	q := newQueue(t, b, nil)
	closed := value.Address("amqp://" + sinktest.FreeAddress(t))
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"password": {
			func(c *Config) { c.Password = value.Inline("canary-wrong-Kolibri") },
			`authentication failed for user "genltestd"; check user and password: 403 ACCESS_REFUSED`,
		},
		"user":          {func(c *Config) { c.User = "nobody" }, `authentication failed for user "nobody"`},
		"virtual host":  {func(c *Config) { c.VHost = "nowhere" }, `the virtual host "nowhere" is not available to this connection; check vhost`},
		"mechanism":     {func(c *Config) { c.Mechanism = mechanismExternal }, "the broker does not offer the mechanism external"},
		"no listener":   {func(c *Config) { c.Addresses = []value.Address{closed} }, "connect to " + string(closed)},
		"password file": {func(c *Config) { c.Password = value.Secret{File: "/nonexistent/password"} }, "password: open /nonexistent/password"},
		"two addresses": {
			func(c *Config) { c.Addresses = []value.Address{closed, "amqp://no.such.invalid:5672"} },
			"connect to amqp://no.such.invalid:5672",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := q.config()
			tt.change(c)
			s := newSink(t, c)
			events := sinktest.Events(1, 2)
			mustFail(t, s, events, tt.want)
			if _, err := attempt(t, s, events, attemptTimeout); err == nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("the second attempt: %v", err)
			}
		})
	}
	q.check(t, nil)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRotatedPassword(t *testing.T) {
	b := shared(t)
	q := newQueue(t, b, nil)
	b.AddUser(t, "rotating", "canary-old-Kolibri", q.vhost)
	file := filepath.Join(t.TempDir(), "password")
	write(t, file, "canary-old-Kolibri\n")
	c := q.config()
	c.User, c.Password = "rotating", value.Secret{File: file}
	s := newSink(t, c)
	events := sinktest.Events(1, 40)
	mustDeliver(t, s, events[:10])

	b.Call(t, `rabbit_auth_backend_internal:change_password(<<"rotating">>, <<"canary-new-Kolibri">>, <<"test">>)`)
	mustDeliver(t, s, events[10:20]) // over the open connection
	q.proxy.Reset()
	awaitError(t, s, events[20:], "authentication failed")

	write(t, file, "canary-new-Kolibri\n")
	mustDeliver(t, s, events[20:30])
	before := s.session
	write(t, file, "canary-bad-Kolibri\n")
	mustFail(t, s, events[30:], "authentication failed")
	write(t, file, "canary-new-Kolibri\n")
	mustDeliver(t, s, events[30:])
	if s.session == before {
		t.Error("the sink has continued with a password that was replaced")
	}
	q.check(t, ids(events))
}

// One node of a cluster is down. Each sink finds the other, in any order of attempts.
func TestNextAddressIsTried(t *testing.T) {
	b := shared(t)
	q := newQueue(t, b, nil)
	c := q.config()
	c.Addresses = append(c.Addresses, value.Address("amqp://"+sinktest.FreeAddress(t)))
	events := sinktest.Events(1, 20)
	for first := range c.Addresses {
		s := newSink(t, c)
		s.next = first
		mustDeliver(t, s, events[first*10:first*10+10])
	}
	q.check(t, ids(events))
}

// An operator closes the connections with messages in flight, as the upgrade of a node does.
func TestClosedConnections(t *testing.T) {
	q := newQueue(t, shared(t), nil)
	s := newSink(t, q.config())
	events := sinktest.Events(1, 30)
	mustDeliver(t, s, events[:10])
	q.proxy.Hang()
	failed := make(chan struct{})
	go func() {
		defer close(failed)
		mustFail(t, s, events[10:], "320 CONNECTION_FORCED - maintenance")
	}()
	poll.Until(t, "the messages are in flight", func() bool { return s.window.InFlight() == 20 })
	q.broker.Call(t, `rabbit_networking:close_all_user_connections(<<%q>>, "maintenance")`, rabbitmq.User)
	q.proxy.Restore()
	<-failed
	mustDeliver(t, s, events[10:])
	if got, again := q.storedIDs(t); strings.Join(got, " ") != strings.Join(ids(events), " ") || again > 20 {
		t.Errorf("%d events arrived, and %d of them again", len(got), again)
	}
}
