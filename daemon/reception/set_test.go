// SPDX-License-Identifier: Apache-2.0

package reception

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/kernelmsg"
	"github.com/genltestd/genltestd/internal/poll"
)

func TestEachFamilyHasASocketAndAnAccountOfItsOwn(t *testing.T) {
	r := start(t, genltest, family("alpha"), family("beta", "b"))
	for i := range 3 {
		for _, name := range []string{"genltest", "alpha", "beta"} {
			r.send(t, name, fmt.Sprint(name, i))
		}
	}
	for _, name := range []string{"genltest", "alpha", "beta"} {
		r.awaitEvents(t, name, name+"0", name+"1", name+"2")
		poll.Until(t, "metrics of "+name, func() bool { return r.number(t, "genltestd_events_received_total", name) == 3 })
	}
	if got := r.Received(); got != 9 {
		t.Errorf("received %d events, want 9", got)
	}
	if n := r.number(t, "genltestd_events_received_total", "alpha", "a1"); n != 3 {
		t.Errorf("received %v events of the group a1, want 3", n)
	}
	if a, b := r.kernel.SocketOf("alpha"), r.kernel.SocketOf("beta"); a == b || !slices.Equal(a.Groups, []uint32{50, 51}) {
		t.Errorf("alpha has joined %v", a.Groups)
	}
}

// Only what is configured exists: other users must not see metrics or faults of genltest.
func TestWithoutGenltestNothingOfItExists(t *testing.T) {
	r := start(t, family("alpha"))
	r.kernel.Set(func() { r.kernel.IDs = genl.FamilyIDs{} })
	if got := r.metricFamilies(t); !slices.Equal(got, []string{"alpha"}) {
		t.Errorf("metrics of %q", got)
	}
	for _, s := range r.States() {
		if s.Fault != nil || s.Echo != nil || s.Family != "alpha" {
			t.Errorf("state %+v", s)
		}
	}
	if r.hasInbox(genl.FamilyName) {
		t.Error("genltest has an inbox")
	}
}

func TestAFaultOfOneFamilyDoesNotAffectTheOthers(t *testing.T) {
	r := newRig(t)
	r.kernel.Others["beta"] = genl.FamilyIDs{ID: betaID} // without a group
	delete(r.kernel.Others, "gamma")
	r.open(t, family("alpha"), family("beta"), family("gamma"), family("delta", "d"))
	r.run(t)
	r.send(t, "alpha", "one")
	r.awaitEvents(t, "alpha", "one")
	for i, want := range []struct {
		id     uint16
		absent bool
		fault  string
	}{
		{alphaID, false, ""},
		{0, false, "the family beta does not have multicast groups, so its events cannot be received"},
		{0, true, "gamma"},
		{0, true, "delta"},
	} {
		s := r.States()[i]
		text := ""
		if s.Fault != nil {
			text = s.Fault.Error()
		}
		if s.ID != want.id || s.Absent != want.absent || !strings.Contains(text, want.fault) || (want.fault == "") != (text == "") {
			t.Errorf("got %+v, want %+v", s, want)
		}
	}
}

func TestAFamilyThatCannotBeJoinedIsNamed(t *testing.T) {
	r := newRig(t)
	r.kernel.Opening = func() {}
	r.open(t, family("alpha"), family("beta"))
	r.run(t)
	socket := r.kernel.SocketOf("beta")
	socket.Set(func() { socket.JoinErr = genl.JoinErrors{60: unix.EPERM} })
	ids := r.kernel.Others["beta"]
	ids.ID = 77
	socket.Send(genl.Message{Data: kernelmsg.Notification(unix.CTRL_CMD_NEWFAMILY, "beta", 77, map[string]uint32{"b": 60}), Group: 16})
	poll.Until(t, "the fault", func() bool { return r.States()[1].Fault != nil })
	if got := r.States()[1].Fault.Error(); !strings.Contains(got, "CAP_NET_ADMIN") || !strings.Contains(got, "beta") {
		t.Errorf("fault %q", got)
	}
	if s := r.States()[0]; s.Fault != nil || s.ID != alphaID {
		t.Errorf("alpha is %+v", s)
	}
}

// The configuration was changed while the daemon did not run. systemd has stored the socket.
func TestQueuedEventsOfAFamilyThatIsNotConfiguredAnyMoreAreJournaled(t *testing.T) {
	for _, removed := range []Family{family("beta"), genltest} {
		name := removed.Family
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.open(t, family("alpha"), removed)
			r.run(t)
			r.stop()
			socket := r.kernel.SocketOf(name)
			r.kernel.Set(func() { r.kernel.Stored = socket })
			r.send(t, name, "queued")
			r.open(t, family("alpha"))
			if len(socket.Groups) > 0 {
				t.Errorf("the socket has the groups %v", socket.Groups)
			}
			r.run(t)
			r.awaitRemoval(t, name)
			r.awaitEvents(t, name, "queued")
			if strings.Contains(r.log.String(), "level=WARN msg=\"the family is not registered") {
				t.Errorf("the log mentions a family that is not configured any more: %s", r.log.String())
			}
			if got := r.kernel.Forgotten(); !slices.Equal(got, []string{name}) {
				t.Errorf("the descriptors of %q are forgotten", got)
			}
			if got := r.metricFamilies(t); !slices.Equal(got, []string{"alpha"}) || r.hasInbox(name) {
				t.Errorf("metrics of %q; the inbox exists: %v", got, r.hasInbox(name))
			}
		})
	}
}

func TestOpenLeavesNothingBehindAfterAnError(t *testing.T) {
	r := newRig(t)
	r.kernel.Set(func() { r.kernel.OpenErr = unix.EMFILE }) // an error for genltest only
	_, err := Open([]Family{family("alpha"), genltest}, r.options(t))
	if err == nil || !strings.Contains(err.Error(), "too many open files") {
		t.Fatalf("got %v", err)
	}
	if got := r.metricFamilies(t); len(got) > 0 {
		t.Errorf("metrics of %q are left", got)
	}
}

// An inbox without a file does not survive a SIGKILL: the fault names its family.
func TestAnInboxThatCannotBeUsedNamesItsFamily(t *testing.T) {
	r := newRig(t)
	if err := os.Mkdir(r.dir+"/beta.inbox", 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Open([]Family{family("alpha"), family("beta")}, r.options(t))
	if err == nil || !strings.HasPrefix(err.Error(), "family beta: inbox: ") {
		t.Errorf("got %v", err)
	}
}

// The next start continues with the inbox and the stored socket.
func TestAFamilyThatIsLeavingWhenTheDaemonStopsKeepsItsInbox(t *testing.T) {
	r := start(t, family("alpha"), family("beta"))
	r.journal.fail(errFull)
	r.send(t, "beta", "one")
	poll.Until(t, "a batch that waits", func() bool { return r.Blocked() != nil })
	r.reload(t, family("alpha"))
	r.stop()
	if !r.hasInbox("beta") || len(r.kernel.Forgotten()) > 0 {
		t.Errorf("the inbox exists: %v; the descriptors of %q are forgotten", r.hasInbox("beta"), r.kernel.Forgotten())
	}
}
