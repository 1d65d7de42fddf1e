// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

// connections returns how often the sink has connected.
func (b *broker) connections() int {
	return strings.Count(b.Log(), fmt.Sprintf("as genltestd-%s-bus", sinktest.Events(1, 1)[0].JournalID))
}

// passwords are the files with the password of a user of the broker.
type passwords struct{ broker, sink string }

func newPasswords(t *testing.T) *passwords {
	t.Helper()
	dir := t.TempDir()
	return &passwords{filepath.Join(dir, "users"), filepath.Join(dir, "password")}
}

// setAtBroker changes the file of the broker, which reads it after SIGHUP.
func (p *passwords) setAtBroker(t *testing.T, password string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), sinktest.Program(t, "mosquitto_passwd"), "-b", "-c", p.broker, "sink", password)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func (p *passwords) setAtSink(t *testing.T, password string) {
	t.Helper()
	if err := os.WriteFile(p.sink, []byte(password+"\n"), 0o600); err != nil {
		t.Error(err)
	}
}

// A certificate that is replaced under load is used from the next batch on. No event arrives twice.
func TestRotatedCertificateIsUsed(t *testing.T) {
	skipInShort(t)
	s := startSecured(t, time.Hour)
	w, l := s.watch(t), newLoad(newSink(t, s.config()))
	l.limit = time.Minute
	for round := range 5 {
		l.accept(t, 500)
		s.ca.Issue(t, "sink", time.Hour)
		l.accept(t, 500)
		poll.Until(t, "the sink has connected again", func() bool { return s.connections() == round+2 })
	}
	if duplicates := l.check(t, w); duplicates > 0 || l.failures > 0 {
		t.Errorf("%d duplicates, %d failures: %v", duplicates, l.failures, l.latest)
	}
}

func TestRotatedPasswordIsUsed(t *testing.T) {
	p := newPasswords(t)
	p.setAtBroker(t, "first-5gTq7")
	p.setAtSink(t, "wrong-5gTq7")
	b := startBroker(t, "allow_anonymous false", "password_file "+p.broker)
	c := configFor(b.address)
	c.User, c.Password = "sink", value.Secret{File: p.sink}
	s := newSink(t, c)
	n, err := s.Deliver(t.Context(), sinktest.Events(1, 3))
	if n != 0 || err == nil || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), "check user and password") {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	p.setAtSink(t, "first-5gTq7")
	if n, err := s.Deliver(t.Context(), sinktest.Events(1, 3)); n != 3 || err != nil {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	p.setAtBroker(t, "second-5gTq7")
	b.Signal(syscall.SIGHUP)
	p.setAtSink(t, "second-5gTq7")
	poll.UntilNil(t, "the broker knows the second password", func() error {
		_, err := s.Deliver(t.Context(), sinktest.Events(4, 3))
		return err
	})
}

// At random, the certificate or the password changes while messages are in flight. After a change of
// the password, mosquitto ends the connections with the former one: the window of each arrives twice.
func TestSecretsRotateWhileMessagesAreInFlight(t *testing.T) {
	skipInShort(t)
	const rotations, window = 8, 50
	p := newPasswords(t)
	p.setAtBroker(t, "password-0")
	p.setAtSink(t, "password-0")
	s := startSecured(t, time.Hour, "allow_anonymous true", "password_file "+p.broker, "max_inflight_messages 0") // the witness is anonymous
	c := s.config()
	c.User, c.Password, c.MaxInFlight = "sink", value.Secret{File: p.sink}, window
	w, l := s.watch(t), newLoad(newSink(t, c))
	for n := 1; n <= rotations; n++ {
		before := s.connections()
		during(t, w, l, func() {
			if rand.IntN(2) == 0 {
				s.ca.Issue(t, "sink", time.Hour)
				return
			}
			password := fmt.Sprintf("password-%d", n)
			steps := []func(){
				func() { p.setAtBroker(t, password); s.Signal(syscall.SIGHUP) },
				func() { p.setAtSink(t, password) },
			}
			first := rand.IntN(2)
			steps[first]()
			steps[1-first]()
		})
		l.until(t, "the sink has connected again", func() bool { return s.connections() > before })
	}
	l.accept(t, 500)
	duplicates := l.check(t, w)
	if most := (s.connections() - 1) * window; duplicates > most {
		t.Errorf("%d events arrived twice, at most %d expected", duplicates, most)
	}
	t.Logf("%d connections, %d failures, %d duplicates", s.connections(), l.failures, duplicates)
}
