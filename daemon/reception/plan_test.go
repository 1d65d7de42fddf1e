// SPDX-License-Identifier: Apache-2.0

package reception

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/poll"
)

// Three families; one of them is added and removed while the others receive events.
func TestReloadsLoseNothingOfTheOtherFamilies(t *testing.T) {
	r := start(t, genltest, family("alpha"), family("beta"))
	sockets := map[string]any{}
	for _, name := range []string{"genltest", "alpha"} {
		sockets[name] = r.kernel.SocketOf(name)
	}
	const rounds = 30
	want := map[string][]string{}
	for i := range rounds {
		for _, name := range []string{"genltest", "alpha", "beta"} {
			for range 1 + rand.IntN(5) {
				text := strconv.Itoa(len(want[name]))
				r.send(t, name, text)
				want[name] = append(want[name], text)
			}
		}
		// The last events of beta are still queued.
		r.reload(t, family("alpha"), genltest)
		r.awaitRemoval(t, "beta")
		if socket := r.kernel.SocketOf("beta"); !socket.Closed || len(socket.Groups) > 0 {
			t.Fatalf("round %d: the removed socket is closed: %v, and has the groups %v", i, socket.Closed, socket.Groups)
		}
		r.reload(t, genltest, family("beta"), family("alpha"))
	}
	for name, texts := range want {
		r.awaitEvents(t, name, texts...)
	}
	for name, socket := range sockets {
		if s := r.kernel.SocketOf(name); s != socket || s.Closed {
			t.Errorf("a reload has touched the socket of %s", name)
		}
	}
}

func TestQueuedEventsOfARemovedFamilyAreJournaledBeforeItsSocketIsClosed(t *testing.T) {
	r := start(t, family("alpha"), family("beta"))
	socket := r.kernel.SocketOf("beta")
	r.journal.fail(errFull)
	r.send(t, "beta", "one")
	poll.Until(t, "a batch that waits", func() bool { return r.Blocked() != nil })
	r.send(t, "beta", "two")
	r.send(t, "beta", "three")
	r.reload(t, family("alpha"))
	if socket.Closed || len(socket.Groups) > 0 || !r.hasInbox("beta") {
		t.Errorf("the socket is closed: %v, has the groups %v; the inbox exists: %v", socket.Closed, socket.Groups, r.hasInbox("beta"))
	}
	if r.Blocked() == nil {
		t.Error("the events of the removed family are not part of the account")
	}
	_, err := r.Plan([]Family{family("alpha"), family("beta")})
	if err == nil || !strings.Contains(err.Error(), "family beta: it was removed, and its last events are not in the journal yet") {
		t.Errorf("the family is added while it is leaving: %v", err)
	}
	r.journal.fail(nil)
	r.awaitRemoval(t, "beta")
	r.awaitEvents(t, "beta", "one", "two", "three")
	if !socket.Closed || r.hasInbox("beta") {
		t.Errorf("the socket is closed: %v; the inbox exists: %v", socket.Closed, r.hasInbox("beta"))
	}
	if got := r.kernel.Forgotten(); !slices.Equal(got, []string{"beta"}) {
		t.Errorf("the descriptors of %q are forgotten", got)
	}
	if got := r.metricFamilies(t); !slices.Equal(got, []string{"alpha"}) {
		t.Errorf("metrics of %q", got)
	}
}

func TestAFailedPlanChangesNothing(t *testing.T) {
	r := start(t, family("alpha"))
	if err := os.MkdirAll(r.dir+"/gamma.inbox/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Plan([]Family{family("beta"), family("gamma")}); err == nil || !strings.Contains(err.Error(), "family gamma: ") {
		t.Fatalf("got %v", err)
	}
	if beta := r.kernel.SocketOf("beta"); !beta.Closed || r.hasInbox("beta") || !slices.Equal(r.kernel.Forgotten(), []string{"beta"}) {
		t.Errorf("of beta is left: socket closed %v, inbox %v, forgotten %q", beta.Closed, r.hasInbox("beta"), r.kernel.Forgotten())
	}
	if got := r.metricFamilies(t); !slices.Equal(got, []string{"alpha"}) {
		t.Errorf("metrics of %q", got)
	}
	r.send(t, "alpha", "one")
	r.awaitEvents(t, "alpha", "one")
}

func TestAFamilyWhoseSocketCannotBeOpenedIsNotLeftBehindByAFailedPlan(t *testing.T) {
	r := start(t, family("alpha"))
	r.kernel.Set(func() { r.kernel.OpenErr = unix.EMFILE }) // an error for genltest only
	if _, err := r.Plan([]Family{family("alpha"), genltest}); !errors.Is(err, unix.EMFILE) {
		t.Fatalf("got %v", err)
	}
	if got := r.kernel.Forgotten(); r.hasInbox(genl.FamilyName) || !slices.Equal(got, []string{genl.FamilyName}) {
		t.Errorf("the inbox exists: %v; the descriptors of %q are forgotten", r.hasInbox(genl.FamilyName), got)
	}
	if got := r.metricFamilies(t); !slices.Equal(got, []string{"alpha"}) {
		t.Errorf("metrics of %q", got)
	}
}

func TestADiscardedPlanChangesNothing(t *testing.T) {
	r := start(t, family("alpha", "a1"))
	plan, err := r.Plan([]Family{{genl.Target{Family: "alpha"}, 2 * buffer}, family("beta")})
	if err != nil {
		t.Fatal(err)
	}
	plan.Discard()
	if s := r.kernel.SocketOf("alpha"); !slices.Equal(s.Groups, []uint32{50}) || s.BufferBytes() != buffer {
		t.Errorf("alpha has the groups %v and a buffer of %d bytes", s.Groups, s.BufferBytes())
	}
	if !r.kernel.SocketOf("beta").Closed || r.hasInbox("beta") {
		t.Error("beta is left")
	}
}

// Another socket would lose the events that are queued in this one.
func TestGroupsAndBufferOfAFamilyChangeWithoutANewSocket(t *testing.T) {
	r := start(t, family("alpha", "a1"))
	socket := r.kernel.SocketOf("alpha")
	r.send(t, "alpha", "one")
	r.reload(t, Family{genl.Target{Family: "alpha", Groups: []string{"a1", "a2"}}, 2 * buffer})
	r.send(t, "alpha", "two")
	r.awaitEvents(t, "alpha", "one", "two")
	if s := r.kernel.SocketOf("alpha"); s != socket || s.Closed || !slices.Equal(s.Groups, []uint32{50, 51}) || s.BufferBytes() != 2*buffer {
		t.Errorf("the socket is another one: %v; it has the groups %v and a buffer of %d bytes", s != socket, s.Groups, s.BufferBytes())
	}
	if got := r.States()[0].Groups; !slices.Equal(got, []string{"a1", "a2"}) {
		t.Errorf("the state has the groups %q", got)
	}
}

func TestHealthChecksRunWhileGenltestIsConfigured(t *testing.T) {
	r := start(t, family("alpha"))
	for i := range 3 {
		r.reload(t, family("alpha"), genltest)
		poll.Until(t, "a health check", func() bool { return r.number(t, "genltestd_echo_probes_total", "ok") > 0 })
		poll.Until(t, "its result", func() bool { return r.States()[1].Echo == nil })
		r.reload(t, family("alpha"))
		r.awaitRemoval(t, genl.FamilyName)
		if got := r.metricFamilies(t); !slices.Equal(got, []string{"alpha"}) {
			t.Errorf("round %d: metrics of %q", i, got)
		}
	}
}

func TestWarningsNameTheNewFamiliesThatCannotBeReceivedYet(t *testing.T) {
	r := start(t, family("alpha"))
	plan, err := r.Plan([]Family{family("alpha"), family("beta"), family("delta")})
	if err != nil {
		t.Fatal(err)
	}
	plan.Apply()
	if got := plan.Warnings(); len(got) != 1 || !strings.HasPrefix(got[0], "family delta: ") {
		t.Errorf("warnings %q", got)
	}
}
