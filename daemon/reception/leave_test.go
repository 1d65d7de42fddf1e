// SPDX-License-Identifier: Apache-2.0

package reception

import (
	"testing"

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
