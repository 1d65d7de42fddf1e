// SPDX-License-Identifier: Apache-2.0

package reception

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/poll"
)

// The loss must be in the journal: the metrics of the family end with it.
func TestLossesOfARemovedFamilyAreJournaled(t *testing.T) {
	r := start(t, family("alpha"), family("beta"))
	r.send(t, "beta", "one")
	r.awaitEvents(t, "beta", "one")
	socket := r.kernel.SocketOf("beta")
	socket.Set(func() { socket.Dropped = 7 })
	r.reload(t, family("alpha"))
	r.awaitRemoval(t, "beta")
	poll.Until(t, "the gap", func() bool { return len(r.journal.of("beta")) == 2 })
	if got := r.journal.of("beta")[1]; got != "7 lost" {
		t.Errorf("the journal contains %q", got)
	}
}

func TestAFamilyWhoseSocketCannotBeOpenedCanBeRemoved(t *testing.T) {
	r := start(t, family("alpha"))
	r.kernel.Set(func() { r.kernel.OpenErr = unix.EMFILE })
	r.reload(t, family("alpha"), family("beta"))
	r.reload(t, family("alpha"))
	r.awaitRemoval(t, "beta")
	if r.hasInbox("beta") {
		t.Error("the inbox is left")
	}
}

// The configuration was changed while the daemon did not run.
func TestARemovedFamilyWhoseSocketCannotBeOpenedDoesNotPreventTheStart(t *testing.T) {
	for _, removed := range []Family{family("beta"), genltest} {
		t.Run(removed.Family, func(t *testing.T) {
			r := start(t, family("alpha"), removed)
			r.stop()
			r.kernel.Set(func() { r.kernel.OpenErr = unix.EMFILE })
			r.open(t, family("alpha"))
			r.run(t)
			r.awaitRemoval(t, removed.Family)
			if r.hasInbox(removed.Family) {
				t.Error("the inbox is left")
			}
		})
	}
}
